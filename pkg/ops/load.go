package ops

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// configFileEnv names the YAML file where no flag does.
const configFileEnv = envPrefix + "CONFIG"

// Sources are where settings come from besides the defaults. A later one wins:
// file, environment, flags.
type Sources struct {
	File  string   // YAML file; empty: what PERENNIAL_CONFIG names, or none
	Env   []string // NAME=value as in os.Environ
	Flags []Flag
}

// Flag is a setting given on the command line.
type Flag struct {
	Name  string // as the user typed it, such as --brokers
	Path  string // the setting's dotted path, such as kafka.brokers
	Value string
}

// Loaded is a configuration in force.
type Loaded[T any] struct {
	Value T
	root  *node
}

// Load fills a configuration struct: defaults, then the file, then the
// environment, then the flags. A setting with the path kafka.client_id is
// client_id under kafka in YAML and PERENNIAL_KAFKA_CLIENT_ID in the
// environment; lists are separated by commas there.
//
// What is unknown, can't be read or fails a Validate method of the struct or of
// a struct inside is reported at once, each by name, value and origin, as one
// [UsageError]. Any other error is a mistake in T.
func Load[T any](defaults T, src Sources) (*Loaded[T], error) {
	l := &Loaded[T]{Value: defaults}
	root, err := walk(reflect.ValueOf(&l.Value).Elem())
	if err != nil {
		return nil, fmt.Errorf("configuration struct %T: %w", defaults, err)
	}
	l.root = root
	errs := slices.Concat(loadFile(root, src), loadEnv(root, src.Env), loadFlags(root, src.Flags))
	if len(errs) == 0 {
		errs = validate(root)
	}
	if len(errs) > 0 {
		return nil, Usage(errors.Join(errs...))
	}
	return l, nil
}

func loadFile(root *node, src Sources) []error {
	name := src.File
	if name == "" {
		for _, entry := range src.Env {
			if value, ok := strings.CutPrefix(entry, configFileEnv+"="); ok {
				name = value
			}
		}
	}
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return []error{fmt.Errorf("reading the configuration: %w", err)}
	}
	return loadYAML(root, name, text)
}

// loadYAML takes the settings in text; name stands for it in messages.
func loadYAML(root *node, name string, text []byte) []error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) || (err == nil && len(document.Content) == 0) {
		return nil // nothing in it but comments
	} else if err != nil {
		return []error{fmt.Errorf("%s: %w", name, err)}
	}
	if err := decoder.Decode(&second); err == nil {
		return []error{fmt.Errorf("%s:%d: a second document", name, second.Line)}
	}
	f := yamlFile{name: name}
	f.section(root, document.Content[0])
	return f.errs
}

// yamlFile collects what is wrong with one file.
type yamlFile struct {
	name string
	errs []error
}

func (f *yamlFile) fail(at *yaml.Node, field, reason string) {
	f.errs = append(f.errs, &FieldError{Field: field, Reason: reason, Origin: f.at(at)})
}

func (f *yamlFile) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

// section takes the entries of one mapping.
func (f *yamlFile) section(n *node, y *yaml.Node) {
	y = resolve(y)
	if y.Tag == "!!null" {
		return
	}
	if y.Kind != yaml.MappingNode {
		f.fail(y, n.path, "must be a section with settings in it")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], resolve(y.Content[i+1])
		path := strings.TrimPrefix(n.path+"."+key.Value, ".")
		if seen[key.Value] {
			f.fail(key, path, "is given twice")
			continue
		}
		seen[key.Value] = true
		if c := n.child(key.Value); c == nil {
			f.unknown(n, key, value, path, seen)
		} else if c.children != nil {
			f.section(c, value)
		} else {
			f.setting(c, value)
		}
	}
}

// unknown takes NAME_file for a secret NAME, and refuses anything else.
func (f *yamlFile) unknown(n *node, key, value *yaml.Node, path string, seen map[string]bool) {
	if name, isFile := strings.CutSuffix(key.Value, "_file"); isFile {
		if c := n.child(name); c != nil && c.children == nil && c.isSecret() {
			if seen[name] {
				f.fail(key, path, "is given twice, as text and as file")
				return
			}
			seen[name] = true
			if err := c.setFromFile(value.Value, f.at(key)); err != nil {
				f.errs = append(f.errs, err)
			}
			return
		}
	}
	var names []string
	for _, c := range n.children {
		names = append(names, c.name)
	}
	f.fail(key, path, "unknown setting"+suggest(key.Value, names))
}

func (f *yamlFile) setting(n *node, y *yaml.Node) {
	text := y.Value
	switch {
	case y.Tag == "!!null":
		return
	case y.Kind == yaml.SequenceNode && n.value.Type() == textListType:
		list := make([]string, 0, len(y.Content))
		for _, entry := range y.Content {
			if entry = resolve(entry); entry.Kind != yaml.ScalarNode || strings.Contains(entry.Value, ",") {
				f.fail(entry, n.path, "must be a list of plain values without commas")
				return
			}
			list = append(list, entry.Value)
		}
		text = strings.Join(list, ",")
	case y.Kind != yaml.ScalarNode:
		f.fail(y, n.path, "must be one plain value")
		return
	}
	if err := n.set(text, f.at(y)); err != nil {
		f.errs = append(f.errs, err)
	}
}

// resolve follows an alias to what it stands for.
func resolve(y *yaml.Node) *yaml.Node {
	if y.Kind == yaml.AliasNode {
		return y.Alias
	}
	return y
}

// setFromFile gives a secret the text in a file, without the line end that
// editors put there.
func (n *node) setFromFile(name, origin string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return &FieldError{Field: n.path + "_file", Value: name, Reason: err.Error(), Origin: origin}
	}
	return n.set(strings.TrimRight(string(text), "\r\n"), origin)
}

// foreignEnv matches names with our prefix that aren't settings: the test
// harness's own, and what Kubernetes adds to every pod for a service whose name
// begins with "perennial".
var foreignEnv = regexp.MustCompile(`^PERENNIAL_(CONFIG|REQUIRE_REAL|REQUIRE_VULN|DOCKER_SETUP|TEST_.*|` +
	`(.*_)?SERVICE_(HOST|PORT(_.*)?)|(.*_)?PORT_\d+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)$`)

// serviceLink matches the value of the one such name that looks like a setting:
// PERENNIAL_X_PORT=tcp://10.0.0.1:80.
var serviceLink = regexp.MustCompile(`^(tcp|udp)://`)

func loadEnv(root *node, env []string) []error {
	type target struct {
		n    *node
		file bool
	}
	byName := map[string]target{}
	var names []string
	root.leaves(func(n *node) {
		byName[n.env()] = target{n, false}
		names = append(names, n.env())
		if n.isSecret() {
			byName[n.env()+"_FILE"] = target{n, true}
		}
	})
	given := map[*node]bool{}
	var errs []error
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		t, known := byName[name]
		switch {
		case !known && (foreignEnv.MatchString(name) || serviceLink.MatchString(value)):
		case !known:
			errs = append(errs, &FieldError{Field: name, Reason: "unknown setting" + suggest(name, names), Origin: "environment"})
		case given[t.n]:
			errs = append(errs, &FieldError{Field: name, Reason: "is given twice, as text and as file", Origin: "environment"})
		case t.file:
			given[t.n] = true
			errs = append(errs, t.n.setFromFile(value, "env "+name))
		default:
			given[t.n] = true
			errs = append(errs, t.n.set(value, "env "+name))
		}
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func loadFlags(root *node, flags []Flag) []error {
	byPath := map[string]*node{}
	var paths []string
	root.leaves(func(n *node) { byPath[n.path] = n; paths = append(paths, n.path) })
	var errs []error
	for _, f := range flags {
		n, known := byPath[f.Path]
		if !known {
			errs = append(errs, &FieldError{Field: f.Path, Reason: "unknown setting" + suggest(f.Path, paths), Origin: "flag " + f.Name})
		} else if err := n.set(f.Value, "flag "+f.Name); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// validate asks every struct in the tree, and puts path and origin to what they
// answer. A struct that embeds another answers for it as well, so equal answers
// count once.
func validate(root *node) []error {
	byPath := map[string]*node{}
	root.leaves(func(n *node) { byPath[n.path] = n })
	var errs []error
	seen := map[FieldError]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		for _, check := range n.validate {
			for _, err := range flatten(check()) {
				var field *FieldError
				if errors.As(err, &field) {
					placed := *field
					placed.Field = strings.TrimPrefix(n.path+"."+field.Field, ".")
					if at := byPath[placed.Field]; at != nil {
						placed.Origin = at.origin
					}
					if seen[placed] {
						continue
					}
					seen[placed] = true
					err = &placed
				}
				errs = append(errs, err)
			}
		}
		for _, c := range n.children {
			visit(c)
		}
	}
	visit(root)
	return errs
}

// flatten answers the errors joined in err.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// suggest answers a hint at the known name that is closest to a mistyped one,
// or nothing where none is close.
func suggest(name string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// editDistance counts the letters to insert, delete or replace to make b of a
// (Levenshtein 1966).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
