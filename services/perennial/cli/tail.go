package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

func (a *app) tailCommand() *cobra.Command {
	var asJSON, fromBeginning bool
	var tenant, topic string
	var count int
	c := &cobra.Command{
		Use: "tail", Short: "Follow new values and changes of churn bands", Args: arguments(),
		Long: `Follow cltv.updates.v1 and churn.risk.v1 until Ctrl-C.

With --json each line is one record in the JSON mapping of the schema: a
CltvUpdate, or, where it has a "previousBand", a ChurnRisk.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if count < 0 {
				return ops.Usagef("--count %d: must not be negative", count)
			}
			client, done, err := a.kafkaWithTopics(c.Context())
			if err != nil {
				return err
			}
			defer done()
			t := client.Config().Topics
			topics, known := map[string][]string{"all": {t.Updates, t.Churn}, "updates": {t.Updates}, "churn": {t.Churn}}[topic]
			if !known {
				return ops.Usagef("--only %q: must be updates or churn", topic)
			}
			options := stream.TailOptions{}
			if fromBeginning {
				options.Last = -1
			}
			f := follower{app: a, asJSON: asJSON, left: count, churn: t.Churn}
			if tenant != "" {
				f.prefix = []byte(tenant + "/")
			}
			if err := client.Tail(c.Context(), topics, options, f.show); !errors.Is(err, errEnough) {
				return err
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	c.Flags().BoolVar(&fromBeginning, "from-beginning", false, "show what is there already, too")
	c.Flags().StringVar(&tenant, "tenant", "", "only this tenant's")
	c.Flags().StringVar(&topic, "only", "all", "`updates` or churn")
	c.Flags().IntVar(&count, "count", 0, "end after so many records; 0: never")
	a.kafkaFlag(c)
	return c
}

// errEnough ends a tail that was asked for so many records.
var errEnough = errors.New("enough")

// follower shows records of the output topics.
type follower struct {
	*app
	asJSON bool
	prefix []byte // of the keys that are shown
	churn  string // the topic of changes of bands
	left   int    // how many are still to be shown, 0: any number
}

func (f *follower) show(topic string, partition int32, r *task.Record) error {
	if !bytes.HasPrefix(r.Key, f.prefix) || r.Value == nil {
		return nil
	}
	var message proto.Message = &perennialv1.CltvUpdate{}
	if topic == f.churn {
		message = &perennialv1.ChurnRisk{}
	}
	if err := proto.Unmarshal(r.Value, message); err != nil {
		return fmt.Errorf("%s partition %d offset %d isn't what the topic should hold: %w", topic, partition, r.Offset, err)
	}
	text, err := f.line(message)
	if err != nil {
		return err
	}
	f.out.Printf("%s\n", text)
	if f.left--; f.left == 0 {
		return errEnough
	}
	return nil
}

func (f *follower) line(message proto.Message) (string, error) {
	if f.asJSON {
		return compactJSON(message)
	}
	switch m := message.(type) {
	case *perennialv1.CltvUpdate:
		return updateLine(m), nil
	case *perennialv1.ChurnRisk:
		return churnLine(m), nil
	}
	return "", nil
}

// compactJSON answers a message in one line, all fields shown.
func compactJSON(message proto.Message) (string, error) {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("writing JSON: %w", err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil { // protojson varies its blanks on purpose
		return "", fmt.Errorf("writing JSON: %w", err)
	}
	return b.String(), nil
}

func updateLine(u *perennialv1.CltvUpdate) string {
	decimals := cltv.MinorDigits(u.Currency)
	change := screen.Money(u.ChangeMinor, decimals)
	if u.ChangeMinor >= 0 {
		change = "+" + change
	}
	foretold := "no prediction"
	switch method := u.GetPrediction().GetMethod(); {
	case method == perennialv1.Method_METHOD_UNSPECIFIED:
	case ofContracts(method):
		foretold = fmt.Sprintf("leaves %s  %s", screen.Percent(int64(u.GetChurn().GetProbabilityPpm())), bandName(u.GetChurn().GetBand()))
	default:
		foretold = fmt.Sprintf("alive %s  %s", screen.Percent(int64(u.GetPrediction().GetAlivePpm())), bandName(u.GetChurn().GetBand()))
	}
	return fmt.Sprintf("%s  value  %s v%d  CLTV %s %s (%s)  %s  after %s",
		u.AsOf.AsTime().Format(time.DateOnly), screen.Printable(u.Tenant+"/"+u.Customer), u.Version,
		screen.Money(u.CltvMinor, decimals), u.Currency, change, foretold, causeText(u.Cause))
}

// reasonsTold is how many reasons a line has room for; all are in the JSON.
const reasonsTold = 3

func churnLine(r *perennialv1.ChurnRisk) string {
	reasons := make([]string, 0, len(r.Reasons))
	for _, reason := range r.Reasons {
		if reason.Code == "start" || reason.Code == "average" || len(reasons) == reasonsTold {
			break // where the others start from says nothing of this customer
		}
		reasons = append(reasons, screen.Printable(reason.Text))
	}
	return strings.TrimSpace(fmt.Sprintf("%s  churn  %s v%d  %s -> %s  %s  at risk %s %s  %s",
		r.AsOf.AsTime().Format(time.DateOnly), screen.Printable(r.Tenant+"/"+r.Customer), r.Version,
		bandName(r.PreviousBand), bandName(r.GetChurn().GetBand()), screen.Percent(int64(r.GetChurn().GetProbabilityPpm())),
		screen.Money(r.GetChurn().GetValueAtRiskMinor(), cltv.MinorDigits(r.Currency)), r.Currency, strings.Join(reasons, "; ")))
}

// bandName names a band for people.
func bandName(b perennialv1.Band) string {
	if b == perennialv1.Band_BAND_UNSPECIFIED {
		return "none"
	}
	return strings.ToLower(strings.TrimPrefix(b.String(), "BAND_"))
}

func causeText(c *perennialv1.Cause) string {
	if c.GetSourceEventId() == "" {
		return c.GetKind()
	}
	return screen.Printable(fmt.Sprintf("%s %s/%s", c.GetKind(), c.GetSource(), c.GetSourceEventId()))
}
