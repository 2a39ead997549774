package fit_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
)

// A base grows by events: a first purchase adds a customer, a later one moves him. It is fitted as of any day.
func Example() {
	truth := btyd.MBGNBD{R: .8, Alpha: 30, A: .7, B: 2}
	r := rand.New(rand.NewPCG(1, 1))
	base := fit.Base{}
	for customer := range 20_000 {
		first := int32(customer % 365)
		now := fit.History{First: first, Last: first}
		base.Add(now, 1)
		for _, weeks := range truth.Simulate(r, float64(1500-first)/7) {
			if day := first + int32(weeks*7); day > now.Last {
				base.Add(now, -1)
				now = fit.History{X: now.X + 1, First: first, Last: day}
				base.Add(now, 1)
			}
		}
	}

	fitted, err := fit.MBGNBD(base, 1500, fit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range fitted.Parameters {
		low, high := p.Interval(.95)
		fmt.Printf("%-5s %5.2f  (%.2f to %.2f)\n", p.Name, p.Value, low, high)
	}
	fmt.Println(fitted.Customers, "customers, findings:", fitted.Findings)

	// The same in its first month tells nothing, and says so.
	early, err := fit.MBGNBD(fit.Base{{X: 0, First: 0, Last: 0}: 300, {X: 1, First: 0, Last: 12}: 20}, 30, fit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range early.Findings {
		fmt.Println(finding.Kind)
	}
	// Output:
	// R      0.79  (0.72 to 0.86)
	// Alpha 30.03  (28.04 to 32.15)
	// A      0.74  (0.67 to 0.81)
	// B      2.11  (1.75 to 2.53)
	// 20000 customers, findings: []
	// at_bound
	// at_bound
	// no_dropout
	// few_customers
	// few_repeaters
	// short_history
}
