package ops

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// envPrefix begins the name of every setting in the environment.
const envPrefix = "PERENNIAL_"

// validator is a struct that can say what is wrong with its settings, as
// [FieldError]s joined.
type validator interface{ Validate() error }

var (
	durationType  = reflect.TypeFor[time.Duration]()
	secretType    = reflect.TypeFor[Secret]()
	textListType  = reflect.TypeFor[[]string]()
	textUnmarshal = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// node is one setting, or a section of them, of a configuration struct.
type node struct {
	name     string // as in YAML; empty for the root
	path     string // names from the root, joined by dots
	doc      string
	value    reflect.Value // addressable
	children []*node       // nil for a setting
	validate []func() error
	origin   string // where a setting's value came from
}

func (n *node) isSecret() bool { return n.value.Type() == secretType }

// env answers the setting's name in the environment.
func (n *node) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(n.path, ".", "_"))
}

// child answers the section or setting called name in YAML, nil where there is none.
func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// leaves calls yield for each setting below n, in the order of the struct.
func (n *node) leaves(yield func(*node)) {
	if n.children == nil {
		yield(n)
	}
	for _, c := range n.children {
		c.leaves(yield)
	}
}

// walk makes the tree of a configuration struct. An error is a mistake in the
// struct, not in what was configured.
func walk(config reflect.Value) (*node, error) {
	root := &node{value: config}
	if err := root.addFields(config); err != nil {
		return nil, err
	}
	seen := map[string]string{}
	var errs []error
	claim := func(env, path string) {
		if other, taken := seen[env]; taken {
			errs = append(errs, fmt.Errorf("%s and %s share the name %s in the environment", other, path, env))
		}
		seen[env] = path
	}
	root.leaves(func(n *node) {
		n.origin = "default"
		claim(n.env(), n.path)
		if n.isSecret() {
			claim(n.env()+"_FILE", n.path+"_file")
		}
		if n.doc == "" {
			errs = append(errs, fmt.Errorf("%s has no doc tag", n.path))
		}
	})
	return root, errors.Join(errs...)
}

// addFields adds the fields of the struct v, those of an inlined struct among them.
func (n *node) addFields(v reflect.Value) error {
	if _, ok := v.Interface().(validator); ok {
		// Taken again at the time of the call: here v still holds the defaults.
		n.validate = append(n.validate, func() error { return v.Interface().(validator).Validate() })
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if options == "inline" {
			if err := n.addFields(v.Field(i)); err != nil {
				return err
			}
			continue
		}
		if name == "" || !field.IsExported() {
			return fmt.Errorf("%s.%s has no yaml tag or isn't exported", v.Type(), field.Name)
		}
		c := &node{name: name, path: name, doc: field.Tag.Get("doc"), value: v.Field(i)}
		if n.path != "" {
			c.path = n.path + "." + name
		}
		switch {
		case settable(field.Type):
		case field.Type.Kind() == reflect.Struct:
			if err := c.addFields(c.value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s has the type %s, which can't be configured", c.path, field.Type)
		}
		n.children = append(n.children, c)
	}
	return nil
}

// settable says whether a field of type t is one setting.
func settable(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textUnmarshal) || t == textListType {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		return true
	default:
		return false
	}
}

// set gives the setting the value that text stands for, or answers why not.
func (n *node) set(text, origin string) error {
	if err := n.parse(text); err != nil {
		return &FieldError{Field: n.path, Value: n.shown(text), Reason: err.Error(), Origin: origin}
	}
	n.origin = origin
	return nil
}

// shown answers text as it may be put into a message.
func (n *node) shown(text string) string {
	if n.isSecret() {
		return Secret(text).String()
	}
	return text
}

func (n *node) parse(text string) error {
	v := n.value
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("must be a duration such as 500ms or 2m")
		}
		v.SetInt(int64(d))
	case v.Type() == textListType:
		v.Set(reflect.ValueOf(splitList(text)))
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("must be true or false")
		}
		v.SetBool(b)
	case v.CanInt():
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return errors.New("must be a whole number")
		}
		v.SetInt(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("must be a number")
		}
		v.SetFloat(f)
	case n.isSecret() && text == mask:
		return errors.New("is what a masked secret is printed as, not a secret")
	default:
		v.SetString(text)
	}
	return nil
}

// splitList reads a,b,c; blanks around an entry and empty entries are dropped.
func splitList(text string) []string {
	var list []string
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			list = append(list, entry)
		}
	}
	return list
}
