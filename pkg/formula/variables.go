package formula

import (
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// Type is what kind of thing a variable holds.
type Type string

const (
	// Number is a floating number, also where it counts something.
	Number Type = "number"
	// Text is compared, never computed with.
	Text Type = "text"
)

// Variable is something a formula may use of a customer.
type Variable struct {
	Name string
	// Text says what it is, for people.
	Text string
	Type Type
}

// Variables are all that a formula may use, in the order of cltv.Aggregates.
func Variables() []Variable {
	list := make([]Variable, len(variables))
	for i := range variables {
		list[i] = variables[i].Variable
	}
	return list
}

// variable has one of number and text, by its Type.
type variable struct {
	Variable
	number func(a *cltv.Aggregates) float64
	text   func(a *cltv.Aggregates) string
}

func number(name, text string, of func(a *cltv.Aggregates) float64) variable {
	return variable{Variable: Variable{name, text, Number}, number: of}
}

func count(name, text string, of func(a *cltv.Aggregates) int64) variable {
	return number(name, text, func(a *cltv.Aggregates) float64 { return float64(of(a)) })
}

func word(name, text string, of func(a *cltv.Aggregates) string) variable {
	return variable{Variable: Variable{name, text, Text}, text: of}
}

var variables = []variable{
	number("gross", "what was paid", func(a *cltv.Aggregates) float64 { return a.Gross }),
	number("refunded", "what went back", func(a *cltv.Aggregates) float64 { return a.Refunded }),
	number("net", "gross less refunded", func(a *cltv.Aggregates) float64 { return a.Net }),
	number("margin", "what you keep of net, before service cost", func(a *cltv.Aggregates) float64 { return a.Margin }),
	number("service_cost", "what serving the customer cost", func(a *cltv.Aggregates) float64 { return a.ServiceCost }),
	number("acquisition_cost", "what winning the customer cost", func(a *cltv.Aggregates) float64 { return a.AcquisitionCost }),
	count("purchases", "days with a purchase that stands, renewals among them", func(a *cltv.Aggregates) int64 { return a.Purchases }),
	count("age_days", "days since the first purchase; 0 without one", func(a *cltv.Aggregates) int64 { return a.AgeDays }),
	count("silent_days", "days since the last purchase; 0 without one", func(a *cltv.Aggregates) int64 { return a.SilentDays }),
	number("mean_purchase", "net over purchases; 0 without a purchase", func(a *cltv.Aggregates) float64 { return a.MeanPurchase }),
	number("purchases_per_year", "purchases a year so far; a shorter life counts as a year", func(a *cltv.Aggregates) float64 { return a.PurchasesPerYear }),
	count("subscriptions", "contracts that run", func(a *cltv.Aggregates) int64 { return a.Subscriptions }),
	number("recurring_per_year", "what the contracts that run cost in 365 days", func(a *cltv.Aggregates) float64 { return a.RecurringPerYear }),
	count("tenure_days", "days since the first of the contracts that run began", func(a *cltv.Aggregates) int64 { return a.TenureDays }),
	number("alive", "probability of still being a customer; 0 where no model says", func(a *cltv.Aggregates) float64 { return a.Alive }),
	number("churn", "probability of leaving within the churn horizon; 0 where no model says", func(a *cltv.Aggregates) float64 { return a.Churn }),
	number("expected_purchases", "purchases expected over the horizon; 0 where no model says", func(a *cltv.Aggregates) float64 { return a.ExpectedPurchases }),
	number("expected_spend", "spend expected a purchase; 0 where no model says", func(a *cltv.Aggregates) float64 { return a.ExpectedSpend }),
	number("predicted_value", "the residual value of the models, with subscriptions; 0 where no model says", func(a *cltv.Aggregates) float64 { return a.PredictedValue }),
	count("open_tickets", "tickets that aren't resolved", func(a *cltv.Aggregates) int64 { return a.OpenTickets }),
	count("complaints", "complaints of the last 90 days", func(a *cltv.Aggregates) int64 { return a.Complaints }),
	count("failed_payments", "failed payments of the last 90 days", func(a *cltv.Aggregates) int64 { return a.FailedPayments }),
	count("last_score", "latest answer to \"would you recommend us?\", 0 to 10; -1 for none", func(a *cltv.Aggregates) int64 { return a.LastScore }),
	count("horizon_days", "days that a prediction looks ahead, by your policy", func(a *cltv.Aggregates) int64 { return a.HorizonDays }),
	number("discount", "yearly discount rate of your policy; 0.1 is ten percent", func(a *cltv.Aggregates) float64 { return a.Discount }),
	number("margin_rate", "margin of your policy; 0.4 is forty percent", func(a *cltv.Aggregates) float64 { return a.MarginRate }),
	word("segment", "segment of the profile; empty where unknown", func(a *cltv.Aggregates) string { return a.Segment }),
	word("region", "region of the profile; empty where unknown", func(a *cltv.Aggregates) string { return a.Region }),
}

var variableByName = func() map[string]*variable {
	byName := make(map[string]*variable, len(variables))
	for i := range variables {
		byName[variables[i].Name] = &variables[i]
	}
	return byName
}()

func declareVariables() []cel.EnvOption {
	options := make([]cel.EnvOption, len(variables))
	for i, v := range variables {
		options[i] = cel.Variable(v.Name, celTypes[v.Type])
	}
	return options
}

var celTypes = map[Type]*cel.Type{Number: cel.DoubleType, Text: cel.StringType}

// customer shows a customer's aggregates to CEL, one variable at a time and nothing prepared.
type customer cltv.Aggregates

// ResolveName is a customer's value of a variable. A number that isn't finite ends the evaluation.
func (c *customer) ResolveName(name string) (any, bool) {
	v, ok := variableByName[name]
	if !ok {
		return nil, false
	}
	a := (*cltv.Aggregates)(c)
	if v.Type == Text {
		return types.String(v.text(a)), true
	}
	return finite(v.number(a)), true
}

// Parent is nil: there is nothing around a customer.
func (*customer) Parent() cel.Activation { return nil }

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
