package history

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Kind is what the lines of a file report.
type Kind string

// The kinds.
const (
	// Transactions are purchases: orders on billing.events.v1.
	Transactions Kind = "transactions"
	// Calls are call outcomes on dialer.calls.v1.
	Calls Kind = "calls"
)

// The fields of an event that a column can give.
const (
	fieldCustomer    = "customer"
	fieldAt          = "at"
	fieldAmount      = "amount"
	fieldID          = "id"
	fieldCurrency    = "currency"
	fieldProduct     = "product"
	fieldCampaign    = "campaign"
	fieldAgent       = "agent"
	fieldOffer       = "offer"
	fieldLeadSource  = "lead_source"
	fieldDisposition = "disposition"
	fieldDirection   = "direction"
	fieldTalk        = "talk_seconds"
	fieldWrap        = "wrap_seconds"
	fieldCost        = "cost"
	fieldOrder       = "order_id"
)

// fieldsOf names the fields of a kind; the first of them, as many as required
// says, must be given.
var fieldsOf = map[Kind]struct {
	required int
	names    []string
}{
	Transactions: {3, []string{
		fieldCustomer, fieldAt, fieldAmount,
		fieldID, fieldCurrency, fieldProduct, fieldCampaign, fieldAgent, fieldOffer, fieldLeadSource,
	}},
	Calls: {3, []string{
		fieldCustomer, fieldAt, fieldDisposition,
		fieldID, fieldDirection, fieldTalk, fieldWrap, fieldCost, fieldCurrency, fieldOrder,
		fieldCampaign, fieldAgent, fieldOffer, fieldLeadSource,
	}},
}

// ParseKind reads the value of a --kind flag.
func ParseKind(s string) (Kind, error) {
	if _, ok := fieldsOf[Kind(s)]; !ok {
		return "", fmt.Errorf("kind %q: must be transactions or calls", s)
	}
	return Kind(s), nil
}

// FieldNames lists the fields of a kind for people, the required ones apart.
func FieldNames(k Kind) (required, optional []string) {
	f := fieldsOf[k]
	return f.names[:f.required], f.names[f.required:]
}

// Columns says which column gives a field: its name in the header, or its
// number from 1.
type Columns map[string]string

// ParseColumns reads "customer=C,at=D,amount=A" for a kind.
func ParseColumns(k Kind, s string) (Columns, error) {
	known := fieldsOf[k]
	columns := Columns{}
	for part := range strings.SplitSeq(s, ",") {
		field, column, found := strings.Cut(part, "=")
		field, column = strings.TrimSpace(field), strings.TrimSpace(column)
		switch {
		case !found || column == "":
			return nil, fmt.Errorf("columns: %q must be FIELD=COLUMN", part)
		case !slices.Contains(known.names, field):
			return nil, fmt.Errorf("columns: %q is no field of %s; there are %s", field, k, strings.Join(known.names, ", "))
		case columns[field] != "":
			return nil, fmt.Errorf("columns: %q is given twice", field)
		}
		columns[field] = column
	}
	for _, field := range known.names[:known.required] {
		if columns[field] == "" {
			return nil, fmt.Errorf("columns: %q is missing; %s need %s", field, k, strings.Join(known.names[:known.required], ", "))
		}
	}
	return columns, nil
}

// numbered answers whether every column is given by its number.
func (c Columns) numbered() bool {
	for _, column := range c {
		if _, err := strconv.Atoi(column); err != nil {
			return false
		}
	}
	return true
}

// resolve answers the position, from 0, of each field's column. header is nil
// where the file has none; width is its usual number of columns.
func (c Columns) resolve(header []string, width int) (map[string]int, error) {
	positions := make(map[string]int, len(c))
	for _, field := range slices.Sorted(maps.Keys(c)) {
		column := c[field]
		position := slices.IndexFunc(header, func(name string) bool { return strings.EqualFold(name, column) })
		if position < 0 {
			n, err := strconv.Atoi(column)
			switch {
			case err != nil && header == nil:
				return nil, fmt.Errorf("columns: %s=%s: the file has no header; give columns by number", field, column)
			case err != nil:
				return nil, fmt.Errorf("columns: %s=%s: no such column; the header has %s", field, column, strings.Join(header, ", "))
			case n < 1 || n > width:
				return nil, fmt.Errorf("columns: %s=%d: the file has columns 1 to %d", field, n, width)
			}
			position = n - 1
		}
		positions[field] = position
	}
	return positions, nil
}
