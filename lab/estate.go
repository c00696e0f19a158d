package lab

import "context"

// estateKey is the key of the peer that writes the estate config.
const estateKey = "estate"

type estate struct {
	primary *postgresPrimary
	others  []Peer
}

func (*estate) Name() string                          { return "estate config" }
func (*estate) Key() string                           { return estateKey }
func (*estate) Missing(context.Context) []Requirement { return nil }
func (*estate) Start(context.Context, *Site) error    { return nil }
func (*estate) Describe(*Description)                 {}
func (*estate) Stop() error                           { return nil }
