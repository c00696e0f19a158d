package checks

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// stored describes each stored secret that the component keeps in a KV engine, by its
// metadata: no value is read.
func (b vaultBuilder) stored() []Probe {
	out := make([]Probe, 0, len(b.conf.Secrets))
	for _, s := range b.conf.Secrets {
		mount, path, _ := strings.Cut(s.ID, "/")
		p := b.probe(estate.CheckDescribe, "GET "+mount+"/metadata/"+path, b.cfg.Checks.Interval, func(ctx context.Context) Result {
			return resultOf(b.describe(ctx, s, mount, path))
		})
		p.Key.Item = s.Called()
		out = append(out, p)
	}
	return out
}

// describe says of a secret of a KV engine what Secrets Manager says of one of its
// own. A KV engine has no labels: the latest version that has a value is in use, the
// one before it was, and what a procedure of ours has not put into use yet lies beside
// them. Nor does it rotate anything by itself.
func (b vaultBuilder) describe(ctx context.Context, s config.StoredSecret, mount, path string) (estate.Data, error) {
	meta, err := b.here.KVMetadata(ctx, mount, path)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	d := estate.SecretDescription{Secret: s.ID, LastChanged: meta.Updated}
	current, previous := meta.Labels(now)
	label := func(version int, stage estate.Stage) {
		if version > 0 {
			d.Versions = append(d.Versions, estate.SecretVersion{ID: strconv.Itoa(version), Stages: []estate.Stage{stage}})
		}
	}
	label(previous, estate.StagePrevious)
	label(current, estate.StageCurrent)
	if at := slices.IndexFunc(meta.Versions, func(v clients.KVVersion) bool { return v.Version == current }); at >= 0 && current > 0 {
		d.LastRotated = meta.Versions[at].Created
	}
	if current == 0 {
		d.Deleted = meta.Updated // every version is deleted
		for _, v := range meta.Versions {
			if v.Deleted.After(d.Deleted) {
				d.Deleted = v.Deleted
			}
		}
	}
	// Of the metadata that people write only the key is kept that tells the end.
	if key, isTag := strings.CutPrefix(s.Expiry, "tag:"); isTag {
		if text, there := meta.Custom[key]; there {
			d.Tags = map[string]string{key: b.text(text)}
		}
	}
	waiting, err := b.here.KVMetadata(ctx, mount, path+clients.PendingSuffix)
	var f *estate.Failure
	switch {
	case errors.As(err, &f) && f.Kind == estate.Missing:
	case err != nil:
		return nil, err
	default:
		if version, _ := waiting.Labels(now); version > 0 {
			d.PendingSince = waiting.Updated
			d.Versions = append(d.Versions, estate.SecretVersion{ID: "new " + strconv.Itoa(version), Stages: []estate.Stage{estate.StagePending}})
		}
	}
	return d, nil
}
