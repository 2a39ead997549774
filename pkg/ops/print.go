package ops

import (
	"encoding"
	"fmt"
	"io"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Print writes the configuration in force as YAML: above each setting what it
// means and its name in the environment, after it where its value came from.
// Secrets are masked. What is printed can be loaded again, once the masked
// secrets are put in.
func (l *Loaded[T]) Print(w io.Writer) error {
	y := section(l.root)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(y); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return encoder.Close()
}

func section(n *node) *yaml.Node {
	y := &yaml.Node{Kind: yaml.MappingNode}
	for _, c := range n.children {
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: c.name, HeadComment: c.doc}
		var value *yaml.Node
		if c.children != nil {
			value = section(c)
		} else {
			key.HeadComment += "\n" + c.env()
			value = c.yaml()
			value.LineComment = c.origin
		}
		y.Content = append(y.Content, key, value)
	}
	return y
}

// yaml answers the value of a setting, so that reading it gives the same value.
func (n *node) yaml() *yaml.Node {
	plain := func(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }
	// Quoted even where it needn't be: the library's own choice for text with
	// tabs and line ends can't be read back.
	quoted := func(text string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text}
	}
	switch v := n.value.Interface().(type) {
	case []string:
		y := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, entry := range v {
			y.Content = append(y.Content, quoted(entry))
		}
		return y
	case time.Duration:
		return plain(v.String())
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			return quoted(fmt.Sprint(v))
		}
		return quoted(string(text))
	case float64:
		return plain(strconv.FormatFloat(v, 'g', -1, 64))
	case bool, int, int32, int64:
		return plain(fmt.Sprint(v))
	default:
		return quoted(n.value.String())
	}
}
