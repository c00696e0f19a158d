package lab

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
)

// postgresReplica streams from the primary through a replication slot.
type postgresReplica struct {
	postgresServer
	primary *postgresPrimary
}

func (*postgresReplica) Name() string { return "postgresql replica" }
func (*postgresReplica) Key() string  { return "postgres" }

func (*postgresReplica) Missing(context.Context) []Requirement { return missingPostgres() }

func (r *postgresReplica) Start(ctx context.Context, site *Site) error {
	if err := site.Await(ctx, r.primary.Name()); err != nil {
		return err
	}
	if err := r.prepare(site, "replica"); err != nil {
		return err
	}
	if err := r.write(r.passfile, passfile(r.primary.superuserPassword, r.primary.replicatorPassword)); err != nil {
		return err
	}
	// --write-recovery-conf puts the primary's address into
	// postgresql.auto.conf, which is read after postgresql.conf.
	if _, err := runTool(ctx, r.as, r.env(), "", filepath.Join(r.bin, "pg_basebackup"), "--pgdata", r.data,
		"--dbname", r.primary.conninfo(replicator)+" application_name="+replicaSlot, "--no-password", "--write-recovery-conf",
		"--slot", replicaSlot, "--wal-method", "stream", "--checkpoint", "fast", "--no-sync"); err != nil {
		return err
	}
	if err := r.configure(); err != nil {
		return err
	}
	if err := r.run(ctx, site); err != nil {
		return err
	}
	return poll(ctx, r.process, func(ctx context.Context) error {
		state, err := r.primary.sql(ctx, "SELECT state FROM pg_stat_replication WHERE application_name = "+quote(replicaSlot)+";")
		if err != nil {
			return err
		}
		if strings.TrimSpace(state) != "streaming" {
			return errors.New("the primary does not stream to it yet")
		}
		return nil
	})
}

func (r *postgresReplica) Describe(d *Description) {
	d.Replica = r.describe(r.primary.superuserPassword)
}

func (r *postgresReplica) Stop() error { return r.process.stop() }
