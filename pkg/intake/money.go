package intake

import (
	"strconv"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// currencies are the codes of ISO 4217 in which money is paid: currencies and
// funds, without precious metals, test codes and units of account.
var currencies = currencySet(`
	AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
	CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL
	GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
	KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
	NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD
	SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV
	WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
	CUC DEM FRF HRK ITL SLL ZWL`) // the last line: no longer paid in, but in history that is loaded

func currencySet(codes string) map[string]bool {
	set := make(map[string]bool)
	for code := range strings.FieldsSeq(codes) {
		set[code] = true
	}
	return set
}

// money checks an amount that may be absent.
func (c *checker) money(field string, m *perennialv1.Money) {
	if m == nil {
		return
	}
	if m.Minor < 0 || m.Minor > cltv.MaxAmountMinor {
		c.outOfRange(field+".minor", m.Minor, 0, cltv.MaxAmountMinor)
	}
	switch {
	case m.Currency == "":
		c.fault(CodeMissing, field+".currency", "", "is empty")
	case !currencies[m.Currency]:
		c.fault(CodeUnknownCurrency, field+".currency", m.Currency, "isn't a code of ISO 4217, upper case")
	}
}

// paid checks the money of a fact, which must be there, and what it is in the
// tenant's currency.
func (c *checker) paid(fact string, amount, converted *perennialv1.Money) {
	if amount == nil {
		c.fault(CodeMissing, fact+".amount", "", "is missing")
	}
	c.money(fact+".amount", amount)
	c.money(fact+".converted", converted)
	if amount == nil || converted == nil {
		return
	}
	switch {
	case amount.Currency == converted.Currency && amount.Minor != converted.Minor:
		c.fault(CodeInconsistent, fact+".converted.minor", strconv.FormatInt(converted.Minor, 10), "differs from the amount, which is in the same currency")
	case amount.Minor == 0 && converted.Minor != 0:
		c.fault(CodeInconsistent, fact+".converted.minor", strconv.FormatInt(converted.Minor, 10), "is a conversion of 0")
	}
}

// sameCurrency checks that a cost is in the tenant's currency, as far as the
// fact itself tells it.
func (c *checker) sameCurrency(field string, cost, amount, converted *perennialv1.Money) {
	if converted != nil {
		amount = converted
	}
	if cost != nil && amount != nil && cost.Currency != amount.Currency {
		c.fault(CodeInconsistent, field+".currency", cost.Currency, "must be the tenant's currency, which is "+printable(amount.Currency)+" by the amount")
	}
}
