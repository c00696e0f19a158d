package pgsim

import (
	"fmt"
)

// walStart is where a fresh cluster's WAL begins, as after initdb.
const walStart = 0x1000000

// AdvanceWAL writes n bytes of WAL that change nothing we show, as an
// application's traffic does.
func (c *Cluster) AdvanceWAL(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written += max(n, 0)
}

// PauseReplay is pg_wal_replay_pause() on the replica: it goes on receiving,
// and keeps the roles and passwords of this moment.
func (c *Cluster) PauseReplay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.paused {
		c.paused, c.pausedAt = true, c.lsn()
	}
}

// ResumeReplay is pg_wal_replay_resume(): the replica catches up at once.
func (c *Cluster) ResumeReplay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = false
	c.forget()
}

// lsn is the primary's write position. The lock is held.
func (c *Cluster) lsn() int64 {
	rate := c.opts.WALRate
	if rate <= 0 {
		return c.written
	}
	elapsed := max(c.opts.Now().Sub(c.began), 0)
	return c.written + int64(elapsed.Seconds()*float64(rate))
}

// replayed is the replica's replay position. The lock is held.
func (c *Cluster) replayed() int64 {
	if c.paused {
		return c.pausedAt
	}
	return c.lsn()
}

// LSNs are the primary's write position and the replica's replay position, in
// bytes of WAL: their difference is the replay lag.
func (c *Cluster) LSNs() (written, replayed int64) {
	written, replayed, _ = c.positions()
	return written, replayed
}

// positions returns the primary's and the replica's positions and whether replay
// is paused.
func (c *Cluster) positions() (written, replayed int64, paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lsn(), c.replayed(), c.paused
}

// formatLSN writes a position as PostgreSQL does.
func formatLSN(lsn int64) string { return fmt.Sprintf("%X/%X", uint64(lsn)>>32, uint32(lsn)) }
