package vaultsim

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
)

func TestHand(t *testing.T) {
	if os.Getenv("HAND") == "" {
		t.Skip()
	}
	dev := New(Options{Storage: InMem, Shares: 1, Threshold: 1, Name: "vault-cluster-d14fb45b", Nodes: []NodeOptions{{Host: "vm", API: "http://127.0.0.1:18400", Cluster: "https://127.0.0.1:18401"}}})
	dev.Mount(Mount{Path: "secret/", Type: "kv", Version: 2, Description: "key/value secret storage"})
	dev.AddToken(Token{ID: "root", Name: "token", Policies: []string{"root"}})
	dev.tokens["root"].expires = dev.tokens["root"].expires.AddDate(-100, 0, 0)
	dev.tokens["root"].expires = dev.tokens["root"].expires.Truncate(1 << 62)
	tk := dev.tokens["root"]
	tk.ttl = 0
	tk.renewable = false
	var z = dev.o.License
	tk.expires = z
	gone := false
	dev.OnRotate(func(db, user, pw string) error {
		if gone {
			return errors.New("failed to execute query: ERROR: role \"app\" does not exist (SQLSTATE 42704)")
		}
		return nil
	})
	raft := New(Options{Uninitialized: true, Name: "rafty", Nodes: []NodeOptions{{Name: "node1", Host: "vm", API: "http://127.0.0.1:18500", Cluster: "https://127.0.0.1:18501"}, {Name: "node2", Host: "vm", API: "http://127.0.0.1:18510", Cluster: "https://127.0.0.1:18511"}}})
	go http.ListenAndServe("127.0.0.1:18500", raft.Node(0))
	go http.ListenAndServe("127.0.0.1:18510", raft.Node(1))
	ent := New(Options{Enterprise: true})
	ent2 := New(Options{Primary: ent, Lag: 45e9})
	go http.ListenAndServe("127.0.0.1:18520", ent)
	go http.ListenAndServe("127.0.0.1:18521", ent2)
	fmt.Println(ent.RootToken(), ent2.RootToken())
	http.ListenAndServe("127.0.0.1:18400", dev)
}
