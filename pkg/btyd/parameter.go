package btyd

import "fmt"

// A ParameterError says which parameter of which model is out of range.
type ParameterError struct {
	Model string  // "BG/NBD", "Gamma–Gamma" or "table"
	Field string  // as in the Go struct
	Value float64 // what was given
	Want  string  // what would be accepted
}

// Error names model, field, value and the range accepted.
func (e *ParameterError) Error() string {
	return fmt.Sprintf("%s: %s is %v, want %s", e.Model, e.Field, e.Value, e.Want)
}

// checkParameter says whether a value can be a fitted parameter; NaN and infinities can't.
func checkParameter(model, field string, value, least, greatest float64) error {
	if value >= least && value <= greatest {
		return nil
	}
	return &ParameterError{model, field, value, fmt.Sprintf("%g to %g", least, greatest)}
}
