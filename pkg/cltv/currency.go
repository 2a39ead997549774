package cltv

// minorDigits lists the currencies of ISO 4217 whose minor unit isn't a hundredth.
var minorDigits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
	"UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// MinorDigits returns how many decimal digits the minor unit of a currency has: 2 for USD, 0 for JPY, 3 for KWD.
// Codes that ISO 4217 doesn't list with another number have 2.
func MinorDigits(currency string) int {
	if digits, ok := minorDigits[currency]; ok {
		return digits
	}
	return 2
}

// minorPerMajor is how many minor units make a major one.
func minorPerMajor(currency string) float64 {
	units := 1.0
	for range MinorDigits(currency) {
		units *= 10
	}
	return units
}

// original is an amount as it was paid, before it was converted into the tenant's currency: its minor units, and the
// letters of its currency in the low bits. 0: nothing was converted.
type original uint64

const (
	originalShift = 15 // 26³ codes
	maxOriginal   = MaxAmountMinor<<originalShift | (1<<originalShift - 1)
)

// originalOf is the original of an event's money, which validate has seen.
func originalOf(ev *Event) original {
	if ev.OriginalMinor == 0 || ev.OriginalCurrency == "" || ev.OriginalCurrency == ev.Currency {
		return 0
	}
	code := original(0)
	for _, letter := range []byte(ev.OriginalCurrency) {
		code = 26*code + original(letter-'A')
	}
	return original(ev.OriginalMinor)<<originalShift | code
}

func (o original) minor() int64 { return int64(o >> originalShift) }

// sameCurrency says whether two originals are there and in one currency.
func (o original) sameCurrency(other original) bool {
	return o.minor() > 0 && other.minor() > 0 && (o^other)&(1<<originalShift-1) == 0
}

// isCurrency says whether s has the form of an ISO 4217 code.
func isCurrency(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
