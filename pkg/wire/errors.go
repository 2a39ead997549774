package wire

// Reason says why a message can't be decoded. The values are stable: dead
// letters carry them.
type Reason string

// The reasons.
const (
	// Malformed: the bytes aren't protobuf, or end too early.
	Malformed Reason = "malformed"
	// InvalidUTF8: a text field holds bytes that aren't UTF-8.
	InvalidUTF8 Reason = "invalid_utf8"
	// TimeOutOfRange: a time before 1970 or after 2199, or nanoseconds outside
	// 0 to 999,999,999.
	TimeOutOfRange Reason = "time_out_of_range"
)

// DecodeError is the error of every decoder of this package.
type DecodeError struct {
	// Field is the path of the field at fault, in the schema's names, such as
	// "order.amount.currency". Empty where the bytes can't be told into fields.
	Field string
	// Reason says what is wrong with it.
	Reason Reason
}

func (e *DecodeError) Error() string {
	if e.Field == "" {
		return "decode: " + string(e.Reason)
	}
	return "decode " + e.Field + ": " + string(e.Reason)
}

// within puts field before the path of err; nil stays nil.
func within(field string, err *DecodeError) *DecodeError {
	if err == nil {
		return nil
	}
	if err.Field != "" {
		field += "." + err.Field
	}
	return &DecodeError{Field: field, Reason: err.Reason}
}

// asError keeps a nil *DecodeError from becoming an error that isn't nil.
func asError(err *DecodeError) error {
	if err == nil {
		return nil
	}
	return err
}
