package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/history"
)

// fileFlags say how a file is written.
type fileFlags struct {
	columns, currency, zone, delimiter, dateFormat, decimal string
}

// add gives them to a command. whose is what else the currency and the zone are of,
// such as "the tenant and of ".
func (f *fileFlags) add(c *cobra.Command, whose string) {
	flags := c.Flags()
	flags.StringVar(&f.columns, "columns", "", "`FIELD=COLUMN,…`: what each column means")
	flags.StringVar(&f.currency, "currency", "", "ISO 4217 code of "+whose+"amounts without a column of their own")
	flags.StringVar(&f.zone, "time-zone", "UTC", "IANA time zone of "+whose+"times without one")
	flags.StringVar(&f.delimiter, "delimiter", "", "a character, tab, or space for blanks (default: found out)")
	flags.StringVar(&f.dateFormat, "date-format", "", "iso, epoch, epoch-ms, rfc2822 or a pattern such as DD.MM.YYYY (default: found out)")
	flags.StringVar(&f.decimal, "decimal", "", "decimal mark, . or , (default: found out)")
}

// options checks the flags.
func (f *fileFlags) options(kind history.Kind) (o history.Options, err error) {
	o.Kind = kind
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if f.columns == "" {
		required, _ := history.FieldNames(kind)
		return o, ops.Usagef("--columns is missing: FIELD=COLUMN,… for %s at least", strings.Join(required, ", "))
	}
	o.Columns, err = history.ParseColumns(kind, f.columns)
	check(err)
	if o.Currency = strings.ToUpper(f.currency); o.Currency != "" && len(o.Currency) != 3 {
		check(fmt.Errorf("--currency %q: must be an ISO 4217 code such as USD", f.currency))
	}
	if f.delimiter != "" {
		o.Delimiter, err = history.ParseDelimiter(f.delimiter)
		check(err)
	}
	if f.dateFormat != "" {
		o.DateFormat, err = history.ParseDateFormat(f.dateFormat)
		check(err)
	}
	if f.decimal != "" && f.decimal != "." && f.decimal != "," {
		check(fmt.Errorf("--decimal %q: must be . or ,", f.decimal))
	} else if f.decimal != "" {
		o.Mark = f.decimal[0]
	}
	_, err = control.ZoneOffsets(f.zone)
	check(err)
	if err == nil {
		o.Zone, err = time.LoadLocation(f.zone)
		check(err)
	}
	return o, ops.Usage(errors.Join(errs...))
}
