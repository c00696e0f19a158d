package decode

import (
	"fmt"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// maxProblems is how many problems of one file are kept; a file with more has
// one cause that the first ones show.
const maxProblems = 100

// Document is a decoded file: the problems found so far, and where each part of
// it stands, so that checks on the meaning can name the line as well.
type Document struct {
	file     string
	root     *yaml.Node // nil when the file could not be read as YAML
	lines    int
	problems Problems
	dropped  int
	bad      map[string]bool // paths that have a problem
	expanded map[*yaml.Node][]entry
}

// Broken reports whether the file could not be read as YAML at all, so that
// nothing can be said of its meaning.
func (d *Document) Broken() bool { return d.root == nil }

// Add reports a problem at path, or at the nearest part above it that was
// written. A path that has a problem already gets no second one: the first is
// the cause.
func (d *Document) Add(path, message, hint string) {
	switch {
	case d.Full():
		d.dropped++
	case !d.bad[path]:
		d.add(d.At(path), path, message, hint)
	}
}

// Full reports whether there are so many problems already that more are only
// counted: no use in working out a hint.
func (d *Document) Full() bool { return len(d.problems) >= maxProblems }

// Failed reports whether path itself has a problem.
func (d *Document) Failed(path string) bool { return d.bad[path] }

// Problems lists all problems in the order of their lines; nil when there are
// none.
func (d *Document) Problems() Problems {
	d.problems.sort()
	if d.dropped > 0 {
		last := d.problems[len(d.problems)-1]
		return append(d.problems[:len(d.problems):len(d.problems)], Problem{File: d.file, Line: last.Line, Column: last.Column,
			Message: fmt.Sprintf("and %d more problems", d.dropped)})
	}
	return d.problems
}

// Has reports whether path was written in the file.
func (d *Document) Has(path string) bool {
	_, ok := d.find(path)
	return ok
}

// At is where path stands: a scalar's own place, or the key of a block. Where
// path was not written it is the place of the nearest part above it that was.
func (d *Document) At(path string) Position {
	at, _ := d.find(path)
	return at
}

// Keys lists the keys written in the block at path, merged ones included.
func (d *Document) Keys(path string) []string {
	node, _, ok := d.node(path)
	if !ok {
		return nil
	}
	var keys []string
	for _, e := range d.entries(follow(node)) {
		keys = append(keys, e.key.Value)
	}
	return keys
}

func (d *Document) find(path string) (Position, bool) {
	_, at, ok := d.node(path)
	return at, ok
}

// node is the value at path, or the nearest above it that was written.
func (d *Document) node(path string) (*yaml.Node, Position, bool) {
	if d.root == nil {
		return nil, Position{1, 1}, false
	}
	node, at := d.root, position(d.root, nil)
	for _, segment := range segments(path) {
		node = follow(node)
		next, key := (*yaml.Node)(nil), (*yaml.Node)(nil)
		switch s := segment.(type) {
		case string:
			for _, e := range d.entries(node) {
				if e.key.Value == s || len(s) >= 60 && clip(e.key.Value, 60) == s {
					next, key = e.value, e.key
					break
				}
			}
		case int:
			if node.Kind == yaml.SequenceNode && s < len(node.Content) {
				next = node.Content[s]
			}
		}
		if next == nil {
			return node, at, false
		}
		node, at = next, position(next, key)
	}
	return node, at, true
}

func (d *Document) add(at Position, path, message, hint string) {
	if d.Full() {
		d.dropped++
		return
	}
	if path != "" {
		if d.bad == nil {
			d.bad = map[string]bool{}
		}
		d.bad[path] = true
	}
	d.problems = append(d.problems, Problem{
		File: d.file, Line: max(1, min(at.Line, d.lines)), Column: max(1, at.Column), Path: path, Message: message, Hint: hint,
	})
}

// entry is one key and value of a mapping, merged ones included.
type entry struct{ key, value *yaml.Node }

// maxMerged bounds the keys that one mapping may gain by merging.
const maxMerged = 10_000

// entries lists the keys of a mapping: its own, then those merged into it with
// "<<" that it does not set itself. It is empty for other nodes.
func (d *Document) entries(n *yaml.Node) []entry {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	if got, ok := d.expanded[n]; ok {
		return got
	}
	out := make([]entry, 0, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if tagOf(n.Content[i]) == mergeTag {
			merged = append(merged, n.Content[i+1])
			continue
		}
		out = append(out, entry{n.Content[i], n.Content[i+1]})
	}
	if merged == nil {
		return out
	}
	if d.expanded == nil {
		d.expanded = map[*yaml.Node][]entry{}
	}
	d.expanded[n] = out // stops a mapping that merges itself
	have := make(map[string]bool, len(out))
	for _, e := range out {
		have[e.key.Value] = true
	}
	for _, m := range merged {
		sources := []*yaml.Node{m}
		if list := follow(m); list.Kind == yaml.SequenceNode {
			sources = list.Content
		}
		for _, s := range sources {
			for _, e := range d.entries(follow(s)) {
				if !have[e.key.Value] && len(out) < maxMerged {
					have[e.key.Value] = true
					out = append(out, e)
				}
			}
		}
	}
	d.expanded[n] = out
	return out
}

// tagOf is the short tag of a node; the loader has resolved those of scalars.
func tagOf(n *yaml.Node) string {
	if strings.HasPrefix(n.Tag, "!!") {
		return n.Tag
	}
	return n.ShortTag()
}

// follow returns what an alias stands for, or n itself.
func follow(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			return n
		}
		n = n.Alias
	}
	return n
}

// position is where a value stands: a block is best found by its key.
func position(n, key *yaml.Node) Position {
	if key != nil && (n.Line == 0 || n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode || tagOf(n) == nullTag) {
		n = key
	}
	return Position{max(1, n.Line), max(1, n.Column)}
}
