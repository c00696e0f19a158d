package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Quick names the peers that need no build and start within seconds: what
// "make test" runs beside.
const Quick = "quick"

var quickKeys = []string{"postgres", "pgbouncer", "moto", "tls", "tools"}

// needs are the peers without which another one cannot run. The estate is a
// config of all of them.
var needs = map[string][]string{"pgbouncer": {"postgres"}, "vault": {"postgres"}}

// Peers are all servers of the lab, in the order in which they are listed.
func Peers() []Peer {
	primary := &postgresPrimary{}
	e := &estate{
		primary: primary, replica: &postgresReplica{primary: primary}, pooler: &pgbouncer{primary: primary}, moto: &moto{}, tls: &tlsServer{}, tools: &tools{},
		vault: &vaults{primary: primary}, kube: &kubernetes{}, systemd: &userManager{}, acme: &acme{},
	}
	return []Peer{primary, e.replica, e.pooler, e.moto, e.tls, e.tools, e.vault, e.kube, e.acme, e.systemd, &toxiproxy{}, e}
}

// Select are the peers of the comma-separated keys in only, with those that they
// need, in the order of Peers; all of them when only is empty. "quick" stands
// for the quick ones.
func Select(only string) ([]Peer, error) {
	all := Peers()
	if only == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for key := range strings.SplitSeq(only, ",") {
		keys := []string{strings.TrimSpace(key)}
		switch keys[0] {
		case Quick:
			keys = quickKeys
		case estateKey:
			return all, nil
		}
		for _, key := range keys {
			if !slices.ContainsFunc(all, func(p Peer) bool { return p.Key() == key }) {
				return nil, fmt.Errorf("there is no peer %q; there are %s, and %s for %s", key, strings.Join(keysOf(all), ", "), Quick, strings.Join(quickKeys, ", "))
			}
			wanted[key] = true
			for _, needed := range needs[key] {
				wanted[needed] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(p Peer) bool { return !wanted[p.Key()] }), nil
}

// keysOf are the keys of peers, each once, in their order.
func keysOf(peers []Peer) []string {
	var keys []string
	for _, p := range peers {
		if !slices.Contains(keys, p.Key()) {
			keys = append(keys, p.Key())
		}
	}
	return keys
}
