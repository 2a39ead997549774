package cltv

// FoldVersion is the version of the arithmetic: of the fold, of the score and of the stored form of a State. It rises
// whenever the same log could give another result.
const FoldVersion = 2

// At is where in the log a record stands, and what is in force there.
type At struct {
	// Offset of the record in its partition.
	Offset int64
	// Clock is the tenant's clock, Unix seconds; 0: none yet.
	Clock int64
	// Params are the tenant's parameters; nil: defaults, and no model.
	Params *Params
}

// Outcome is what became of a record.
type Outcome uint8

// The outcomes. Only Applied changes the state.
const (
	// Applied: the state changed, by one version.
	Applied Outcome = iota + 1
	// Duplicate: the fact, or a later revision of it, is in already.
	Duplicate
	// Replayed: the state took in this offset already.
	Replayed
	// Unchanged: the record says nothing new, such as a Reassess of a score that is as fresh.
	Unchanged
	// Refused: the record can't be taken in; Step.Refusal says why. It belongs into the dead-letter topic.
	Refused
)

var outcomeNames = [...]string{"", "applied", "duplicate", "replayed", "unchanged", "refused"}

// String returns the outcome's name.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return ""
}

// Refusal says why a record can't be taken in. The zero value is no refusal.
type Refusal struct {
	// Code is stable and made for programs: one of the Code constants.
	Code string
	// Field is the field of the schema at fault, empty where it is the whole record.
	Field string
	// Text is for people and names the value.
	Text string
}

// Error returns code, field and text.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Code + ": " + r.Text
	}
	return r.Code + ": " + r.Field + ": " + r.Text
}

// The codes of refusals.
const (
	// CodeMissing: a required field is empty.
	CodeMissing = "missing_field"
	// CodeTooLong: a text is longer than the schema allows.
	CodeTooLong = "too_long"
	// CodeInvalidText: a text isn't UTF-8, or has a form that isn't allowed.
	CodeInvalidText = "invalid_text"
	// CodeOutOfRange: a number or time is outside what the schema allows.
	CodeOutOfRange = "out_of_range"
	// CodeUnknownValue: an enum has a value that this version doesn't know.
	CodeUnknownValue = "unknown_value"
	// CodeCurrency: the money isn't in the tenant's currency.
	CodeCurrency = "currency"
	// CodeTooLate: the fact is older than what is still kept one by one, so that nobody can tell whether it is in already.
	CodeTooLate = "too_late"
	// CodeAmountOverflow: the customer's money would exceed what is taken for real.
	CodeAmountOverflow = "amount_overflow"
	// CodeNotSupported: the kind is reserved for what isn't built yet.
	CodeNotSupported = "not_supported_yet"
	// CodeMisrouted: the record doesn't belong to this state.
	CodeMisrouted = "misrouted"
)

// Step is what one record did.
type Step struct {
	Outcome Outcome
	// Refusal is set where Outcome is Refused. It is set with Applied, too, where a withdrawal of consent was heeded while
	// the rest of its record is refused: such a record belongs into the dead-letter topic as well.
	Refusal Refusal
	// Score is the new score where Outcome is Applied. It is the zero Score for a spend state.
	Score Score
	// PreviousCLTVMinor and PreviousBand are those of version − 1.
	PreviousCLTVMinor int64
	PreviousBand      Band
	// BandChanged says that Score.Band isn't PreviousBand; a record of churn.risk.v1 is then due, with Folder.Reasons.
	BandChanged bool
	// EnqueueDay is the bucket of the due index (UTC day) into which the customer must be entered; 0: leave the index
	// alone. The state remembers it as indexed.
	EnqueueDay int32
}

// Consent says what the customer must not be asked on.
type Consent struct {
	DoNotCall, DoNotEmail, DoNotText bool
}

// Numbers names the parameters that a score rests on; 0: none.
type Numbers struct {
	Model, Thresholds, UnitCosts, Policy int64
	// Contracts is that of the model of contracts; 0 also where the customer has none.
	Contracts int64
}

// Score is all that is known and foretold of a customer at one version. Money is in minor units of Currency, days are
// local days since 1970-01-01, probabilities are in millionths.
type Score struct {
	Version int64
	// AsOf is the time for which the score holds, Unix seconds; AsOfDay its local day.
	AsOf    int64
	AsOfDay int32

	Currency         string
	GrossMinor       int64
	RefundedMinor    int64
	NetMinor         int64
	MarginMinor      int64
	ServiceCostMinor int64
	// Transactions counts the days with a purchase that stands.
	Transactions int32
	// FirstAt and LastAt are the first and last purchase that stands, Unix milliseconds; only with Transactions > 0.
	FirstAt, LastAt int64
	// FinancialYearMinor is what stands of the purchases of the tenant's financial year so far.
	FinancialYearMinor int64

	CACMinor int64

	Method             Method
	Basis              Basis
	ModelID            string
	HorizonDays        int32
	ResidualMinor      int64
	ResidualLowMinor   int64
	ResidualHighMinor  int64
	AlivePPM           int32
	ExpectedPPM        int64
	ExpectedSpendMinor int64
	// RepeatTransactions, LastAgeDays and AgeDays are the model's x, t_x and T; RepeatMoneyMinor over x is m̄.
	RepeatTransactions int32
	LastAgeDays        int32
	AgeDays            int32
	RepeatMoneyMinor   int64
	// Contracts is the part of contracts.
	Contracts ContractScore

	CLTVMinor    int64
	NetCLTVMinor int64
	LTVToCACPPM  int64
	// Tier counts the thresholds that CLTV reaches; TierName is empty without thresholds.
	Tier     int32
	TierName string
	// Acquisition is the first touch that converted.
	Acquisition Touch

	Band             Band
	ChurnPPM         int32
	ChurnHorizonDays int32
	ValueAtRiskMinor int64
	// VoluntaryPPM and InvoluntaryPPM are the parts of ChurnPPM in which the holder of a contract leaves, and in which payments
	// fail; both 0 where they aren't told apart.
	VoluntaryPPM, InvoluntaryPPM int32
	// BandChangesAt is the start of the first local day on which the band will be another one if nothing happens, Unix
	// seconds; 0: not within ten years, and not within 400 days where a contract runs.
	BandChangesAt int64

	Consent Consent
	Numbers Numbers

	// byContracts says that churn is judged by contracts and not by purchases.
	byContracts bool
}

// ContractScore is what the contracts of a customer are expected to bring; the zero value where none runs, or no model
// of contracts is in force.
type ContractScore struct {
	Method  Method
	ModelID string
	// Running counts the contracts that haven't ended.
	Running       int32
	ResidualMinor int64
	// ExpectedPPM is the number of renewals over the horizon.
	ExpectedPPM int64
	// Plan, Tenure and RenewalAt are of the contract with the most at risk: its plan, the periods paid so far, and when the next
	// renewal is due, or when it ends, Unix seconds.
	Plan      string
	Tenure    int32
	RenewalAt int64
}
