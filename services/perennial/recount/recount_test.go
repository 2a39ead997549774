package recount

import (
	"slices"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// TestCompare checks that every way in which sums can differ is found.
func TestCompare(t *testing.T) {
	sums := func(customers, gross int64) *cltv.Sums {
		s := &cltv.Sums{}
		s[cltv.SumCustomers], s[cltv.SumGross] = customers, gross
		return s
	}
	kept := func(id string, s *cltv.Sums) task.SumWrite {
		return task.SumWrite{Tenant: "t", Dimension: "campaign", ID: id, Value: s.AppendTo(nil)}
	}
	recounted := map[sumKey]*cltv.Sums{
		{"t", "campaign", "equal"}:   sums(2, 500),
		{"t", "campaign", "other"}:   sums(2, 500),
		{"t", "campaign", "missing"}: sums(1, 0),
		{"t", "campaign", "zero"}:    sums(0, 0),
	}
	got, err := compare(3, []task.SumWrite{
		kept("equal", sums(2, 500)), kept("other", sums(2, 501)), kept("extra", sums(0, 7)), kept("nothing", sums(0, 0)),
	}, recounted)
	if err != nil {
		t.Fatal(err)
	}
	want := []Difference{
		{3, "t", "campaign", "extra", "gross", 7, 0},
		{3, "t", "campaign", "missing", "customers", 0, 1},
		{3, "t", "campaign", "other", "gross", 501, 500},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if _, err := compare(3, []task.SumWrite{{Value: []byte{0xff}}}, nil); err == nil {
		t.Error("a sum that can't be read was taken for one")
	}
}

// TestFieldNames checks that every field of the sums has a name of its own.
func TestFieldNames(t *testing.T) {
	seen := map[string]bool{}
	for field, name := range fieldNames {
		if name == "" || seen[name] {
			t.Errorf("field %d is called %q", field, name)
		}
		seen[name] = true
	}
}
