package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// attributes are those of a CloudEvent that mean something here.
type attributes struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Time            string          `json:"time"`
	Subject         string          `json:"subject"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
	DataBase64      []byte          `json:"data_base64"`
}

// binaryAttributes reads the attributes of binary mode; nil where the packet is
// no CloudEvent.
func binaryAttributes(attribute func(string) (string, bool)) (*attributes, *Rejection) {
	if attribute == nil {
		return nil, nil
	}
	version, ok := attribute("specversion")
	if !ok {
		return nil, nil
	}
	a := &attributes{SpecVersion: version}
	a.ID, _ = attribute("id")
	a.Source, _ = attribute("source")
	a.Time, _ = attribute("time")
	a.Subject, _ = attribute("subject")
	if rejection := a.check(); rejection != nil {
		return nil, rejection
	}
	return a, nil
}

func (a *attributes) check() *Rejection {
	if a.SpecVersion != "1.0" {
		return reject(CodeEncoding, "specversion", a.SpecVersion, "only CloudEvents 1.0 is understood")
	}
	return nil
}

// complete sets what ev leaves out from the attributes.
func (a *attributes) complete(ev *perennialv1.Event) *Rejection {
	if a == nil {
		return nil
	}
	if ev.SourceEventId == "" {
		ev.SourceEventId = a.ID
	}
	if ev.Source == "" {
		ev.Source = a.Source
	}
	if _, spend := ev.Fact.(*perennialv1.Event_MarketingSpend); ev.Customer == "" && !spend {
		ev.Customer = a.Subject
	}
	if ev.OccurredAt == nil && a.Time != "" {
		t, err := time.Parse(time.RFC3339Nano, a.Time)
		if err != nil {
			return reject(CodeInvalidValue, "time", a.Time, "must be a time as in RFC 3339, such as 2025-03-31T14:15:16Z")
		}
		ev.OccurredAt = timestamppb.New(t)
	}
	return nil
}

// decodeStructured decodes CloudEvents in JSON.
func decodeStructured(p Packet, batch bool) ([]Item, *Rejection) {
	if batch {
		if !p.Many {
			return nil, reject(CodeEncoding, "content-type", p.ContentType, "one record holds one event")
		}
		return eachElement(p.Body, func(raw []byte) Item { return item(decodeCloudEvent(raw)) })
	}
	ev, rejection := decodeCloudEvent(bytes.TrimPrefix(p.Body, byteOrderMark))
	if rejection != nil {
		return nil, rejection
	}
	return []Item{{Event: ev}}, nil
}

func decodeCloudEvent(raw []byte) (*perennialv1.Event, *Rejection) {
	if !json.Valid(raw) {
		return nil, syntaxRejection(raw)
	}
	var a attributes
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, envelopeRejection(err)
	}
	if rejection := a.check(); rejection != nil {
		return nil, rejection
	}
	ev, rejection := a.data()
	if rejection == nil {
		rejection = a.complete(ev)
	}
	return ev, rejection
}

// data decodes what the CloudEvent is about.
func (a *attributes) data() (*perennialv1.Event, *Rejection) {
	hasData := len(a.Data) > 0 && !bytes.Equal(a.Data, []byte("null"))
	body := []byte(a.Data)
	if !hasData {
		body = a.DataBase64
	}
	switch {
	case hasData && a.DataBase64 != nil:
		return nil, reject(CodeMalformed, "data", "", "data and data_base64 exclude each other")
	case len(body) == 0:
		return nil, reject(CodeEmpty, "data", "", "there is nothing in it")
	}
	e := encodingJSON
	if a.DataContentType != "" || !hasData {
		var rejection *Rejection
		if e, rejection = encodingOf(a.DataContentType, body); rejection != nil {
			rejection.Problems[0].Field = "datacontenttype"
			return nil, rejection
		}
	}
	if e == encodingProtobuf && hasData {
		return nil, reject(CodeEncoding, "data", "", "protobuf belongs into data_base64")
	}
	if e != encodingProtobuf && e != encodingJSON {
		return nil, reject(CodeEncoding, "datacontenttype", a.DataContentType, "data must be one event in JSON or protobuf")
	}
	return decodeOne(e, body)
}

// envelopeRejection names the attribute that has the wrong type.
func envelopeRejection(err error) *Rejection {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return reject(CodeInvalidValue, wrong.Field, wrong.Value, "isn't what CloudEvents has there")
	}
	return reject(CodeMalformed, "", "", "isn't a CloudEvent in JSON")
}
