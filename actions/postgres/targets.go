package postgres

import (
	"net"
	"strconv"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Target is one server where a stored secret logs in.
type Target struct {
	ID   estate.ID
	Name string
	config.Postgres
}

// Place is the target as host:port.
func (t Target) Place() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// System is the target as clients.Call names it.
func (t Target) System() string { return "postgres:" + t.Place() }

// Targets are the servers where a stored secret logs in: the primary first, nil where
// none is configured, then the replicas.
func Targets(cfg *config.Config, secret string) (primary *Target, replicas []Target) {
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Postgres == nil || !c.Postgres.LogsIn(secret) {
			continue
		}
		t := Target{ID: estate.ID(c.ID), Name: c.Name, Postgres: *c.Postgres}
		if c.Postgres.Secret != secret {
			t.Secret, t.User = secret, "" // the user that is configured is the other secret's
		}
		switch {
		case c.Postgres.Role == "replica":
			replicas = append(replicas, t)
		case primary == nil:
			primary = &t
		}
	}
	return primary, replicas
}

// client logs in to a target with the identity of a set.
func (t Target) client(set *clients.Set) *clients.Postgres {
	return clients.NewPostgres(clients.PostgresServer{
		Host: t.Host, Port: t.Port, Database: t.Database, SSLMode: t.SSLMode, CACert: t.CACert,
	}, set.Text)
}

// Credential is a version of a stored secret as it is presented to a server.
type Credential struct {
	Secret   string // as the estate calls it
	Version  string
	User     string
	Password estate.Secret
}

// CredentialOf takes user and password out of a stored value. user, where it is not
// empty, is who logs in whatever the value says.
func CredentialOf(secret string, v clients.Value, userField, passwordField, user string) (Credential, error) {
	c := Credential{Secret: secret, Version: v.VersionID, User: user}
	if user == "" {
		name, err := v.Field(userField)
		if err != nil {
			return c, err
		}
		c.User = name.Reveal()
	}
	var err error
	c.Password, err = v.Field(passwordField)
	return c, err
}

// Know keeps the password of a credential out of what either set of clients says.
func (c Credential) Know(systems actions.Systems) {
	systems.Read.Net().Register(c.Password.Reveal())
	systems.Act.Net().Register(c.Password.Reveal())
}
