package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// maxEvents bounds the events of one packet.
const maxEvents = 1000

var byteOrderMark = []byte("\xef\xbb\xbf")

// jsonSpace is what JSON counts as space.
const jsonSpace = " \t\r\n"

func isArray(body []byte) bool {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, byteOrderMark), jsonSpace)
	return len(body) > 0 && body[0] == '['
}

// decodeJSON decodes an Event in proto3's JSON mapping.
func decodeJSON(body []byte) (*perennialv1.Event, *Rejection) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	ev := new(perennialv1.Event)
	err := protojson.Unmarshal(body, ev)
	if err == nil {
		return ev, nil
	}
	if !json.Valid(body) {
		return nil, syntaxRejection(body)
	}
	if p, found := locate(body, ev.ProtoReflect().Type(), ""); found {
		return nil, &Rejection{StageDecode, []Problem{p}}
	}
	return nil, reject(CodeMalformed, "", "", "isn't the JSON of an event: a field is given twice")
}

func syntaxRejection(body []byte) *Rejection {
	var (
		whole  json.RawMessage
		syntax *json.SyntaxError
	)
	if err := json.Unmarshal(body, &whole); errors.As(err, &syntax) {
		return reject(CodeMalformed, "", "", fmt.Sprintf("isn't JSON: broken after %d bytes", syntax.Offset))
	}
	return reject(CodeMalformed, "", "", "isn't JSON")
}

// locate finds the field that protojson refused, which its errors don't say in
// a form to rely on: each field of the object is tried alone. It costs nothing
// as long as publishers send what they should.
func locate(raw []byte, mt protoreflect.MessageType, path string) (Problem, bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return Problem{CodeInvalidValue, path, printable(string(raw)), "must be an object"}, true
	}
	md := mt.Descriptor()
	var facts []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		fd := md.Fields().ByJSONName(name)
		if fd == nil {
			fd = md.Fields().ByTextName(name)
		}
		if fd == nil {
			return Problem{CodeUnknownField, join(path, printable(name)), "", fmt.Sprintf("%s has no such field", md.Name())}, true
		}
		field := join(path, string(fd.Name()))
		if fd.ContainingOneof() != nil {
			facts = append(facts, string(fd.Name()))
		}
		if tryField(mt, name, value) {
			continue
		}
		if below := fd.Message(); below != nil && !fd.IsList() && !fd.IsMap() && below.ParentFile().Package() == md.ParentFile().Package() {
			if p, found := locate(value, mt.New().NewField(fd).Message().Type(), field); found {
				return p, true
			}
		}
		code := CodeInvalidValue
		if fd.Enum() != nil {
			code = CodeUnknownValue
		}
		return Problem{code, field, printable(string(value)), "must be " + expected(fd)}, true
	}
	if len(facts) > 1 {
		return Problem{CodeInvalidValue, "fact", printable(strings.Join(facts, ", ")), "an event has one fact"}, true
	}
	return Problem{}, false
}

// tryField says whether a message that has this one field is understood.
func tryField(mt protoreflect.MessageType, name string, value json.RawMessage) bool {
	key, _ := json.Marshal(name) // a string always encodes
	alone := slices.Concat([]byte("{"), key, []byte(":"), value, []byte("}"))
	return protojson.Unmarshal(alone, mt.New().Interface()) == nil
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// expected says for people what a field takes.
func expected(fd protoreflect.FieldDescriptor) string {
	var one string
	switch fd.Kind() {
	case protoreflect.StringKind:
		one = "a text in UTF-8"
	case protoreflect.BoolKind:
		one = "true or false"
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		one = "a whole number of type " + fd.Kind().String()
	case protoreflect.EnumKind:
		one = "a value of " + string(fd.Enum().Name())
	case protoreflect.MessageKind:
		if one = "a " + string(fd.Message().Name()); fd.Message().FullName() == "google.protobuf.Timestamp" {
			one = "a time as in RFC 3339, such as 2025-03-31T14:15:16Z"
		}
	default:
		one = "a value of type " + fd.Kind().String()
	}
	if fd.IsList() {
		return "an array, each " + one
	}
	return one
}

// eachElement decodes the elements of a JSON array.
func eachElement(body []byte, decode func([]byte) Item) ([]Item, *Rejection) {
	var elements []json.RawMessage
	body = bytes.TrimPrefix(body, byteOrderMark)
	if err := json.Unmarshal(body, &elements); err != nil {
		return nil, syntaxRejection(body)
	}
	if len(elements) == 0 {
		return nil, reject(CodeEmpty, "", "", "the array is empty")
	}
	if len(elements) > maxEvents {
		return nil, tooMany()
	}
	items := make([]Item, len(elements))
	for i, e := range elements {
		items[i] = decode(e)
	}
	return items, nil
}

// eachLine decodes NDJSON; empty lines are skipped.
func eachLine(body []byte) ([]Item, *Rejection) {
	var items []Item
	r := bytes.NewBuffer(bytes.TrimPrefix(body, byteOrderMark))
	for {
		line, err := r.ReadBytes('\n')
		if line = bytes.Trim(line, jsonSpace); len(line) > 0 {
			if len(items) == maxEvents {
				return nil, tooMany()
			}
			items = append(items, item(decodeJSON(line)))
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if len(items) == 0 {
		return nil, reject(CodeEmpty, "", "", "there is no event in it")
	}
	return items, nil
}

func tooMany() *Rejection {
	return reject(CodeTooLarge, "", "", fmt.Sprintf("more than %d events at once", maxEvents))
}
