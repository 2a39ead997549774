package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"mime"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Packet is what came in, before anything is known of it.
type Packet struct {
	// ContentType is the content-type header, empty where there is none.
	ContentType string
	// Attribute returns a CloudEvents attribute of binary mode, such as "id";
	// false where there is none. Nil: the transport has none.
	Attribute func(name string) (string, bool)
	Body      []byte
	// Many allows several events in one packet.
	Many bool
}

// Item is one event of a packet, or why there is none.
type Item struct {
	Event     *perennialv1.Event
	Rejection *Rejection
}

// encoding is how a body is encoded.
type encoding uint8

const (
	encodingProtobuf encoding = iota + 1
	encodingJSON
	encodingNDJSON
	encodingCloudEvent
	encodingCloudEventBatch
)

// mediaTypes are the content types that are understood. An empty one, and
// application/octet-stream, which says nothing, are guessed from the body.
var mediaTypes = map[string]encoding{
	"application/json":                   encodingJSON,
	"text/json":                          encodingJSON,
	"application/x-ndjson":               encodingNDJSON,
	"application/ndjson":                 encodingNDJSON,
	"application/jsonl":                  encodingNDJSON,
	"application/protobuf":               encodingProtobuf,
	"application/x-protobuf":             encodingProtobuf,
	"application/vnd.google.protobuf":    encodingProtobuf,
	"application/cloudevents+json":       encodingCloudEvent,
	"application/cloudevents-batch+json": encodingCloudEventBatch,
}

// encodingOf tells how a body is encoded.
func encodingOf(contentType string, body []byte) (encoding, *Rejection) {
	if contentType != "" {
		media, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			return 0, reject(CodeEncoding, "content-type", contentType, "isn't a media type")
		}
		if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
			return 0, reject(CodeEncoding, "content-type", contentType, "text must be UTF-8")
		}
		if e, ok := mediaTypes[media]; ok {
			return e, nil
		}
		if media != "application/octet-stream" {
			return 0, reject(CodeEncoding, "content-type", contentType, "isn't understood: use application/json, application/x-ndjson, application/protobuf or CloudEvents in JSON")
		}
	}
	if body[0] == '{' {
		return encodingJSON, nil
	}
	return encodingProtobuf, nil
}

// Decode returns the events of a packet. A rejection is of the packet as a
// whole; one event that is broken among several is rejected in its item.
func Decode(p Packet) ([]Item, *Rejection) {
	if len(p.Body) == 0 {
		return nil, reject(CodeEmpty, "", "", "there is nothing in it")
	}
	e, rejection := encodingOf(p.ContentType, p.Body)
	if rejection != nil {
		return nil, rejection
	}
	switch e {
	case encodingCloudEvent, encodingCloudEventBatch:
		return decodeStructured(p, e == encodingCloudEventBatch)
	case encodingNDJSON:
		if !p.Many {
			return nil, reject(CodeEncoding, "content-type", p.ContentType, "one record holds one event")
		}
		return eachLine(p.Body)
	case encodingJSON:
		if isArray(p.Body) {
			if !p.Many {
				return nil, reject(CodeMalformed, "", "", "one record holds one event, not an array")
			}
			return eachElement(p.Body, func(raw []byte) Item { return item(decodeJSON(raw)) })
		}
	case encodingProtobuf:
	}
	attributes, rejection := binaryAttributes(p.Attribute)
	if rejection != nil {
		return nil, rejection
	}
	ev, rejection := decodeOne(e, p.Body)
	if rejection == nil {
		rejection = attributes.complete(ev)
	}
	if rejection != nil {
		return nil, rejection
	}
	return []Item{{Event: ev}}, nil
}

func decodeOne(e encoding, body []byte) (*perennialv1.Event, *Rejection) {
	if e == encodingJSON {
		return decodeJSON(body)
	}
	return decodeProtobuf(body)
}

func item(ev *perennialv1.Event, r *Rejection) Item { return Item{ev, r} }

// decodeProtobuf decodes an Event, with or without Confluent framing.
func decodeProtobuf(body []byte) (*perennialv1.Event, *Rejection) {
	if body[0] == 0 { // no protobuf message begins with it
		var rejection *Rejection
		if body, rejection = unframe(body); rejection != nil {
			return nil, rejection
		}
	}
	ev := new(perennialv1.Event)
	if err := proto.Unmarshal(body, ev); err != nil {
		return nil, protobufRejection(body)
	}
	return ev, nil
}

// protobufRejection finds the field at fault, which the generated code doesn't
// say.
func protobufRejection(body []byte) *Rejection {
	var (
		ev cltv.Event
		de *wire.DecodeError
	)
	if err := wire.DecodeEvent(body, &ev); errors.As(err, &de) && de.Reason == wire.InvalidUTF8 {
		return reject(CodeInvalidText, de.Field, "", "isn't UTF-8")
	} else if de != nil {
		return reject(CodeMalformed, de.Field, "", "isn't protobuf, or is cut short")
	}
	return reject(CodeMalformed, "", "", "isn't protobuf")
}

// unframe takes off Confluent's framing: a zero byte, the schema's id in four
// bytes, and the path to the message in its file as zigzag varints: their count,
// then the indexes; a count of 0 stands for the first message. Event is the
// first message of its file, so any other path is another schema's.
func unframe(b []byte) ([]byte, *Rejection) {
	if len(b) < 6 {
		return nil, reject(CodeMalformed, "", "", "Confluent framing is cut short")
	}
	id, b := binary.BigEndian.Uint32(b[1:5]), b[5:]
	count, n := binary.Varint(b)
	if n <= 0 || count < 0 {
		return nil, reject(CodeMalformed, "", "", "the message indexes of Confluent framing are malformed")
	}
	b = b[n:]
	first := int64(0)
	if count > 0 {
		if first, n = binary.Varint(b); n <= 0 {
			return nil, reject(CodeMalformed, "", "", "the message indexes of Confluent framing are cut short")
		}
		b = b[n:]
	}
	if count > 1 || first != 0 {
		return nil, reject(CodeWrongSchema, "", "", fmt.Sprintf("the message indexes of schema %d don't name its first message, as those of perennial.v1.Event do", id))
	}
	return b, nil
}
