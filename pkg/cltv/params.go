package cltv

import "github.com/perennial-cltv/perennial/pkg/btyd"

// Model is a published model: perennial.v1.ModelPublished.
type Model struct {
	Number  int64
	ModelID string
	// Scope is the segment it is for; empty: the whole tenant.
	Scope string
	// A purchase process, per week, or a model of renewals, per period of the contract: exactly one of these; zero in all
	// parameters: not given.
	BGNBD     btyd.BGNBD
	MBGNBD    btyd.MBGNBD
	ParetoNBD btyd.ParetoNBD
	SBG       btyd.SBG
	BdW       btyd.BdW
	// Gamma–Gamma in major units; zero in all three: not given.
	P, Q, Gamma float64
	Customers   int64
	Repeaters   int64
	// TrainedTo is Unix milliseconds.
	TrainedTo int64
	Reason    string
	// Leaving is what else than tenure counts at a renewal, Involuntary who of those who leave is dropped because payments
	// failed; nil: not given.
	Leaving, Involuntary *Hazard
	// ReturnPPM are the probabilities of coming back within the churn horizon after a contract ended, by how long ago that
	// was: see returnDays.
	ReturnPPM []int32
}

// Hazard is a logistic hazard of one renewal: perennial.v1.RenewalHazard.
type Hazard struct {
	// Intercept is the log-odds of an average customer, Tenure the weight of the log-odds by tenure, MeanBase their mean.
	Intercept, Tenure, MeanBase float64
	Weights                     []HazardWeight
}

// HazardWeight is what one feature counts for: log-odds for each unit by which it is above its mean.
type HazardWeight struct {
	Feature      string
	Weight, Mean float64
}

// Thresholds draws the lines between value tiers: perennial.v1.ThresholdsSet.
type Thresholds struct {
	Number int64
	Tiers  []Tier
}

// Tier is one value tier.
type Tier struct {
	Name      string
	FromMinor int64
}

// UnitCosts is what it cost to win one customer: perennial.v1.UnitCostsSet.
type UnitCosts struct {
	Number       int64
	DefaultMinor int64
	ByCampaign   map[string]int64
	ByLeadSource map[string]int64
}

// ClockMode tells how a tenant's time passes.
type ClockMode int32

// The clock modes.
const (
	ClockLive     ClockMode = 1
	ClockPlayback ClockMode = 2
)

// ZoneOffset is one stretch of a time zone.
type ZoneOffset struct {
	FromUnix      int64
	OffsetSeconds int32
}

// Policy is what a business decides about its scores: perennial.v1.PolicySet,
// with the same zero values; see Policy.WithDefaults.
type Policy struct {
	Number           int64
	Currency         string
	TimeZone         string
	ZoneOffsets      []ZoneOffset
	HorizonDays      int32
	DiscountPPM      int32
	MarginPPM        int32
	MinuteCostMinor  int64
	TicketCostMinor  int64
	ChurnHorizonDays int32
	BandPPM          []int32
	RescoreDays      int32
	ClockMode        ClockMode
	KeepTransactions int32
	KeepCalls        int32
	KeepRefunds      int32
	KeepMarks        int32
	MarginByProduct  map[string]int32
	// FinancialYearMonth is 1 to 12.
	FinancialYearMonth int32
	GraceDays          int32
	Valuations         []Valuation
}

// ValueMethod is a way to find out what a customer is still to bring: the numbers of perennial.v1.ValueMethod.
type ValueMethod int32

// The methods of valuing.
const (
	ValuePredictive  ValueMethod = 1
	ValueContractual ValueMethod = 2
	ValueSimple      ValueMethod = 3
	ValueHistorical  ValueMethod = 4
	ValueDynamic     ValueMethod = 5
	ValueCustom      ValueMethod = 6
)

// Valuation chooses the method for the customers of a segment, or for all that have none: perennial.v1.Valuation.
type Valuation struct {
	Segment        string
	Method         ValueMethod
	YearlyChurnPPM int32
	RetentionPPM   []int32
	// Formula is the text of a custom method.
	Formula string
}
