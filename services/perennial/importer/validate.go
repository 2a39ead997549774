package importer

import (
	"fmt"

	"github.com/perennial-cltv/perennial/pkg/intake"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/history"
)

// kinds are what each kind of file holds.
var kinds = map[history.Kind]intake.KindSet{history.Transactions: intake.BillingKinds, history.Calls: intake.DialerKinds}

// rules answers the intake whose rules the records must pass: those of the
// service that will take them in, so that what it would refuse is put aside
// here, with its line.
func rules(kind history.Kind, hashKey []byte) (*intake.Intake, error) {
	in, err := intake.New(intake.Config{Kinds: kinds[kind], AllowBackfill: true, HashKey: hashKey})
	if err != nil {
		return nil, fmt.Errorf("rules for %s: %w", kind, err)
	}
	return in, nil
}

// validate answers why the intake would refuse an event. A customer who is named
// by a telephone number or an e-mail address is named by its hash afterwards.
func (i *Importer) validate(event *perennialv1.Event) error {
	if rejection := i.rules.Validate(event); rejection != nil {
		return rejection
	}
	return nil
}
