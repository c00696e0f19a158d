package config

import (
	_ "embed"
	"slices"
)

//go:embed example.yaml
var example []byte

// Example is a commented warroom.yaml of a whole estate, to start from.
func Example() []byte { return slices.Clone(example) }
