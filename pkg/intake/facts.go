package intake

import (
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Bounds of numbers in facts.
const (
	maxSeconds    = 86_400
	maxPeriodDays = 3_660
	maxAttempt    = 1_000_000
)

// enum checks that the schema has a value. required: UNSPECIFIED isn't enough.
func (c *checker) enum(field string, v protoreflect.Enum, required bool) {
	n := v.Number()
	switch {
	case v.Descriptor().Values().ByNumber(n) == nil:
		c.fault(CodeUnknownValue, field, strconv.Itoa(int(n)), "is no value of "+string(v.Descriptor().Name())+" that this version knows")
	case required && n == 0:
		c.fault(CodeMissing, field, "", "is missing")
	}
}

// fact checks the fact of an external kind.
func (c *checker) fact(ev *perennialv1.Event) {
	switch f := ev.Fact.(type) {
	case *perennialv1.Event_CallOutcome:
		c.call(f.CallOutcome)
	case *perennialv1.Event_Order:
		c.order(f.Order)
	case *perennialv1.Event_Payment:
		c.required("payment.payment_id", f.Payment.GetPaymentId())
		c.text("payment.order_id", f.Payment.GetOrderId(), maxID)
		c.paid("payment", f.Payment.GetAmount(), f.Payment.GetConverted())
	case *perennialv1.Event_Refund:
		c.refund(f.Refund)
	case *perennialv1.Event_PaymentFailed:
		c.paymentFailed(f.PaymentFailed)
	case *perennialv1.Event_SubscriptionStarted:
		c.subscriptionStarted(f.SubscriptionStarted)
	case *perennialv1.Event_SubscriptionRenewed:
		s := f.SubscriptionRenewed
		c.required("subscription_renewed.subscription_id", s.GetSubscriptionId())
		c.required("subscription_renewed.invoice_id", s.GetInvoiceId())
		c.paid("subscription_renewed", s.GetAmount(), s.GetConverted())
		c.time("subscription_renewed.period_end", s.GetPeriodEnd())
	case *perennialv1.Event_SubscriptionChanged:
		s := f.SubscriptionChanged
		c.required("subscription_changed.subscription_id", s.GetSubscriptionId())
		c.text("subscription_changed.plan", s.GetPlan(), maxName)
		c.money("subscription_changed.price", s.GetPrice())
		c.number("subscription_changed.period_days", s.GetPeriodDays(), 1, maxPeriodDays)
		c.enum("subscription_changed.type", s.GetType(), false)
	case *perennialv1.Event_SubscriptionCancelled:
		s := f.SubscriptionCancelled
		c.required("subscription_cancelled.subscription_id", s.GetSubscriptionId())
		c.enum("subscription_cancelled.reason", s.GetReason(), false)
		c.time("subscription_cancelled.effective_at", s.GetEffectiveAt())
	case *perennialv1.Event_MarketingSpend:
		c.touch("marketing_spend.touch", f.MarketingSpend.GetTouch())
		if f.MarketingSpend.GetTouch().GetCampaign() == "" {
			c.fault(CodeMissing, "marketing_spend.touch.campaign", "", "is empty")
		}
		c.paid("marketing_spend", f.MarketingSpend.GetAmount(), f.MarketingSpend.GetConverted())
	default:
		c.relation(ev)
	}
}

// relation checks facts about what a customer says and is.
func (c *checker) relation(ev *perennialv1.Event) {
	switch f := ev.Fact.(type) {
	case *perennialv1.Event_TicketOpened:
		c.required("ticket_opened.ticket_id", f.TicketOpened.GetTicketId())
		c.text("ticket_opened.category", f.TicketOpened.GetCategory(), maxName)
		c.number("ticket_opened.priority", f.TicketOpened.GetPriority(), 0, 4)
	case *perennialv1.Event_TicketResolved:
		c.required("ticket_resolved.ticket_id", f.TicketResolved.GetTicketId())
	case *perennialv1.Event_SurveyAnswer:
		c.number("survey_answer.score", f.SurveyAnswer.GetScore(), 0, 10)
		c.text("survey_answer.survey", f.SurveyAnswer.GetSurvey(), maxName)
		c.text("survey_answer.about_id", f.SurveyAnswer.GetAboutId(), maxID)
	case *perennialv1.Event_ChannelResponse:
		c.enum("channel_response.channel", f.ChannelResponse.GetChannel(), true)
		c.enum("channel_response.response", f.ChannelResponse.GetResponse(), true)
		c.touch("channel_response.touch", f.ChannelResponse.GetTouch())
	case *perennialv1.Event_Referral:
		if r := f.Referral; r == nil {
			c.fault(CodeMissing, "referral.referred_customer", "", "is empty")
		} else {
			r.ReferredCustomer = c.other("referral.referred_customer", r.ReferredCustomer, ev.Customer)
		}
	case *perennialv1.Event_Profile:
		c.profile(f.Profile)
	case *perennialv1.Event_Consent:
		c.enum("consent.channel", f.Consent.GetChannel(), false)
		c.text("consent.evidence", f.Consent.GetEvidence(), maxEvidence)
	case *perennialv1.Event_IdentityLink:
		c.enum("identity_link.kind", f.IdentityLink.GetKind(), true)
		c.enum("identity_link.other_kind", f.IdentityLink.GetOtherKind(), true)
		if l := f.IdentityLink; l == nil {
			c.fault(CodeMissing, "identity_link.other", "", "is empty")
		} else {
			l.Other = c.other("identity_link.other", l.Other, ev.Customer)
		}
	}
}

// other checks a key that must be another one than the event's own.
func (c *checker) other(field, key, own string) string {
	key = c.customer(field, key)
	if key != "" && key == own {
		c.fault(CodeInvalidValue, field, "", "is the event's own customer")
	}
	return key
}

func (c *checker) call(f *perennialv1.CallOutcome) {
	c.touch("call_outcome.touch", f.GetTouch())
	c.enum("call_outcome.disposition", f.GetDisposition(), false)
	c.enum("call_outcome.direction", f.GetDirection(), false)
	c.number("call_outcome.talk_seconds", f.GetTalkSeconds(), 0, maxSeconds)
	c.number("call_outcome.wrap_seconds", f.GetWrapSeconds(), 0, maxSeconds)
	c.money("call_outcome.cost", f.GetCost())
	c.text("call_outcome.dialer_status", f.GetDialerStatus(), maxStatus)
	c.text("call_outcome.order_id", f.GetOrderId(), maxID)
}

func (c *checker) order(f *perennialv1.Order) {
	c.required("order.order_id", f.GetOrderId())
	c.paid("order", f.GetAmount(), f.GetConverted())
	c.money("order.cost_of_goods", f.GetCostOfGoods())
	c.sameCurrency("order.cost_of_goods", f.GetCostOfGoods(), f.GetAmount(), f.GetConverted())
	c.text("order.product", f.GetProduct(), maxName)
	c.enum("order.type", f.GetType(), false)
	c.touch("order.touch", f.GetTouch())
}

func (c *checker) refund(f *perennialv1.Refund) {
	c.required("refund.refund_id", f.GetRefundId())
	c.text("refund.order_id", f.GetOrderId(), maxID)
	c.paid("refund", f.GetAmount(), f.GetConverted())
	c.enum("refund.kind", f.GetKind(), false)
	c.enum("refund.status", f.GetStatus(), false)
}

func (c *checker) paymentFailed(f *perennialv1.PaymentFailed) {
	c.required("payment_failed.invoice_id", f.GetInvoiceId())
	c.text("payment_failed.subscription_id", f.GetSubscriptionId(), maxID)
	c.number("payment_failed.attempt", f.GetAttempt(), 0, maxAttempt)
	c.money("payment_failed.amount", f.GetAmount())
	c.text("payment_failed.reason", f.GetReason(), maxName)
}

func (c *checker) subscriptionStarted(f *perennialv1.SubscriptionStarted) {
	c.required("subscription_started.subscription_id", f.GetSubscriptionId())
	c.text("subscription_started.plan", f.GetPlan(), maxName)
	if f.GetInvoiceId() != "" && f.GetPrice() == nil {
		c.fault(CodeMissing, "subscription_started.price", "", "is missing: with an invoice_id the first price counts as a purchase")
	}
	c.money("subscription_started.price", f.GetPrice())
	c.number("subscription_started.period_days", f.GetPeriodDays(), 1, maxPeriodDays)
	c.text("subscription_started.invoice_id", f.GetInvoiceId(), maxID)
	c.time("subscription_started.period_end", f.GetPeriodEnd())
	c.touch("subscription_started.touch", f.GetTouch())
}

func (c *checker) profile(f *perennialv1.Profile) {
	if f.GetSegment() == "" && f.GetRegion() == "" && f.GetAgeBand() == "" {
		c.fault(CodeMissing, "profile", "", "says nothing")
	}
	c.text("profile.segment", f.GetSegment(), maxName)
	c.text("profile.region", f.GetRegion(), maxName)
	c.text("profile.age_band", f.GetAgeBand(), maxAgeBand)
}
