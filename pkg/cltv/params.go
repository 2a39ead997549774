package cltv

import "github.com/perennial-cltv/perennial/pkg/btyd"

// Model is a published model: perennial.v1.ModelPublished.
type Model struct {
	Number  int64
	ModelID string
	// Scope is the segment it is for; empty: the whole tenant.
	Scope string
	// The purchase process, per week: exactly one of these; zero in all four parameters: not given.
	BGNBD     btyd.BGNBD
	MBGNBD    btyd.MBGNBD
	ParetoNBD btyd.ParetoNBD
	// Gamma–Gamma in major units; zero in all three: not given.
	P, Q, Gamma float64
	Customers   int64
	Repeaters   int64
	// TrainedTo is Unix milliseconds.
	TrainedTo int64
	Reason    string
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
}
