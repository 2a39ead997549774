package cdnow

import "testing"

// TestRead compares the data set with the counts and the total that its authors state.
func TestRead(t *testing.T) {
	purchases, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	customers := map[string]bool{}
	cents := int64(0)
	for _, p := range purchases {
		customers[p.Customer] = true
		cents += p.AmountMinor
	}
	if len(purchases) != Purchases || len(customers) != Customers {
		t.Errorf("%d purchases of %d customers, want %d of %d", len(purchases), len(customers), Purchases, Customers)
	}
	if cents != 24_409_194 {
		t.Errorf("%d cents in all", cents)
	}
}
