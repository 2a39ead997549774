package cltv

// Aggregates is what a formula of a business's own may use of a customer, as of a score. Money is in major units of the
// tenant's currency, times are in days, probabilities within 0 to 1.
type Aggregates struct {
	// Gross, Refunded and Net are what was paid, what went back, and the difference; Margin is what the tenant keeps of Net
	// before ServiceCost; AcquisitionCost is what it cost to win the customer.
	Gross, Refunded, Net, Margin, ServiceCost, AcquisitionCost float64
	// Purchases counts the days with a purchase that stands, renewals among them.
	Purchases int64
	// AgeDays are those since the first purchase, SilentDays those since the last one; 0 without a purchase.
	AgeDays, SilentDays int64
	// MeanPurchase is Net over Purchases, 0 without a purchase.
	MeanPurchase float64
	// PurchasesPerYear are those of the customer's life so far, which counts as a year where it is shorter.
	PurchasesPerYear float64
	// Subscriptions counts the contracts that run, RecurringPerYear is what they cost in 365 days, and TenureDays are those
	// since the first of them began.
	Subscriptions    int64
	RecurringPerYear float64
	TenureDays       int64
	// What the models say; 0 where they say nothing: the probability that the customer is still one, that of leaving within
	// the churn horizon, the purchases over the horizon, the spend a purchase, and the residual value with subscriptions.
	Alive, Churn, ExpectedPurchases, ExpectedSpend, PredictedValue float64
	// OpenTickets counts those that aren't resolved, Complaints and FailedPayments those of the last 90 days.
	OpenTickets, Complaints, FailedPayments int64
	// LastScore is the latest answer to "would you recommend us?", 0 to 10; −1: none.
	LastScore int64
	// HorizonDays, Discount (a year) and MarginRate are the policy's.
	HorizonDays          int64
	Discount, MarginRate float64
	// Segment and Region are the profile's, empty where unknown.
	Segment, Region string
}

// Formula is a business's own way to value a customer.
type Formula interface {
	// Value is the residual value in major units. It depends on its argument alone, keeps nothing of it, and is safe for
	// concurrent use. ok is false where the formula gives no finite number.
	Value(a *Aggregates) (value float64, ok bool)
}
