package cli

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"

	"warroom/internal/config"
	"warroom/internal/runbook"
)

// cadenced is a runbook with the intervals of updates that a configuration says
// in place of its own. They become part of the runbook's text, because an incident
// keeps that: it is worked by the same intervals wherever it is opened again.
func cadenced(rb *runbook.Runbook, updates []config.Cadence) (*runbook.Runbook, error) {
	if len(updates) == 0 {
		return rb, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(rb.Source, &doc); err != nil {
		return nil, fmt.Errorf("read the runbook %q again: %w", rb.Name, err)
	}
	list := valueOf(&doc, "updates")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("the runbook %q has no list of updates that incident.updates could change", rb.Name)
	}
	for _, u := range updates {
		entry := cadenceOf(list, u.Severity)
		// In this order, whatever run it is: the text's digest names the runbook.
		for _, one := range []struct {
			name string
			d    time.Duration
		}{{"first", u.First}, {"scoped", u.Scoped}, {"every", u.Every}, {"relax_after", u.Relax}} {
			if one.d != 0 {
				set(entry, one.name, one.d.String())
			}
		}
	}
	source, err := yaml.Marshal(&doc)
	if err != nil {
		return nil, fmt.Errorf("write the runbook %q with the intervals of incident.updates: %w", rb.Name, err)
	}
	return runbook.Parse("the runbook with the intervals of incident.updates", source, nil)
}

// cadenceOf is the entry of a severity, added where there is none.
func cadenceOf(list *yaml.Node, severity string) *yaml.Node {
	for _, entry := range list.Content {
		if s := valueOf(entry, "severity"); s != nil && s.Value == severity {
			return entry
		}
	}
	entry := &yaml.Node{Kind: yaml.MappingNode}
	set(entry, "severity", severity)
	list.Content = append(list.Content, entry)
	return entry
}

// valueOf is the value of a key in a mapping or in the document that holds one;
// nil when there is none.
func valueOf(node *yaml.Node, key string) *yaml.Node {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// set gives a key of a mapping a value.
func set(node *yaml.Node, key, value string) {
	if old := valueOf(node, key); old != nil {
		old.SetString(value)
		return
	}
	var name, text yaml.Node
	name.SetString(key)
	text.SetString(value)
	node.Content = append(node.Content, &name, &text)
}
