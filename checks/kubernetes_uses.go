package checks

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// use is one Secret that a pod's specification consumes.
type use struct {
	secret     string
	how        []string
	refreshes  bool // a change reaches running containers by itself
	optional   bool
	notASecret bool     // a SecretProviderClass, whose secret is kept elsewhere
	holders    []string // containers that took its value when they started
	atStart    bool     // it was taken when the pod started: init containers alone use it
	follows    bool     // a container that stays has it from a volume that follows changes
	since      time.Time
}

// begun is since when a pod has the value of the Secret that it goes on with: the
// earliest start of the containers that took it; zero while none runs.
func (u *use) begun(containers map[string]time.Time, pod time.Time) time.Time {
	if u.atStart {
		return pod
	}
	var first time.Time
	for _, name := range u.holders {
		if at, ok := containers[name]; ok && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// uses collects what a specification consumes, by Secret.
type uses struct{ all []use }

func (u *uses) of(secret string) *use {
	for i := range u.all {
		if u.all[i].secret == secret {
			return &u.all[i]
		}
	}
	// Until one use says otherwise nothing fixes its value, and it can do without.
	u.all = append(u.all, use{secret: secret, refreshes: true, optional: true})
	return &u.all[len(u.all)-1]
}

func (u *use) by(how string, optional *bool) {
	if !slices.Contains(u.how, how) {
		u.how = append(u.how, how)
	}
	u.optional = u.optional && optional != nil && *optional
}

// container is one container of a specification.
type container struct {
	name    string
	env     []corev1.EnvVar
	from    []corev1.EnvFromSource
	mounts  []corev1.VolumeMount
	prefix  string // "init " or "ephemeral "
	initial bool   // it ends before the pod's work begins
}

// usesOf lists the Secrets that a pod's specification consumes, in the order in
// which they come.
func usesOf(spec *corev1.PodSpec) []use {
	var out uses
	var all []container
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		stays := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		all = append(all, container{c.Name, c.Env, c.EnvFrom, c.VolumeMounts, "init ", !stays})
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		all = append(all, container{c.Name, c.Env, c.EnvFrom, c.VolumeMounts, "", false})
	}
	for i := range spec.EphemeralContainers {
		c := &spec.EphemeralContainers[i].EphemeralContainerCommon
		all = append(all, container{c.Name, c.Env, c.EnvFrom, c.VolumeMounts, "ephemeral ", false})
	}
	for _, c := range all {
		out.environment(c)
	}
	for i := range spec.Volumes {
		out.volume(&spec.Volumes[i], all)
	}
	for _, s := range spec.ImagePullSecrets {
		if s.Name != "" {
			// It is taken anew with each pull, and a missing one is passed over.
			yes := true
			out.of(s.Name).by("imagePull", &yes)
		}
	}
	for i := range out.all {
		u := &out.all[i]
		// What init containers read, they read once. Where a container that stays has
		// it too, it is that one's value that the work is done with.
		u.atStart = u.atStart && len(u.holders) == 0 && !u.follows
		u.refreshes = u.refreshes && len(u.holders) == 0 && !u.atStart
	}
	return out.all
}

func (u *uses) environment(c container) {
	take := func(secret, how string, optional *bool) {
		one := u.of(secret)
		one.by(c.prefix+how, optional)
		one.fixed(c)
	}
	for _, e := range c.env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			take(e.ValueFrom.SecretKeyRef.Name, "env", e.ValueFrom.SecretKeyRef.Optional)
		}
	}
	for _, e := range c.from {
		if e.SecretRef != nil {
			take(e.SecretRef.Name, "envFrom", e.SecretRef.Optional)
		}
	}
}

// fixed notes that a container takes the value when it starts and keeps it.
func (u *use) fixed(c container) {
	switch {
	case c.initial:
		u.atStart = true
	case !slices.Contains(u.holders, c.name):
		u.holders = append(u.holders, c.name)
	}
}

// volume notes the Secrets of a volume and how containers mount it. A mount with
// a subPath stays as it was when its container started; any other follows.
func (u *uses) volume(v *corev1.Volume, all []container) {
	var found []string
	add := func(secret, how string, optional *bool) {
		if secret != "" {
			u.of(secret).by(how, optional)
			found = append(found, secret)
		}
	}
	switch {
	case v.Secret != nil:
		add(v.Secret.SecretName, "volume", v.Secret.Optional)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				add(source.Secret.Name, "projected", source.Secret.Optional)
			}
		}
	case v.CSI != nil:
		if class := v.CSI.VolumeAttributes["secretProviderClass"]; class != "" {
			// Its files are written when the pod starts; the driver refreshes them only
			// where its operator has turned that on, which a pod does not tell.
			one := u.of("secretProviderClass " + class)
			one.by("csi", nil)
			one.notASecret, one.refreshes = true, false
		}
		if ref := v.CSI.NodePublishSecretRef; ref != nil && ref.Name != "" {
			u.of(ref.Name).by("csi", nil)
		}
		return
	}
	for _, secret := range found {
		one := u.of(secret)
		for _, c := range all {
			for _, m := range c.mounts {
				switch {
				case m.Name != v.Name:
				case m.SubPath != "" || m.SubPathExpr != "":
					one.by(c.prefix+"subPath", &one.optional)
					one.fixed(c)
				case c.initial:
					one.atStart = true
				default:
					one.follows = true
				}
			}
		}
	}
}

// secretItem is what is kept of a Secret: when it changed, and how we know.
// Nothing but its metadata is asked for.
type secretItem struct {
	changed time.Time
	from    string
}

// secret tells when the data of a Secret last changed. The API server notes for
// each writer which fields it wrote, by name, and when it last changed any of
// them; without that only the time of creation is known, as the earliest.
func (w words) secret(o *metav1.PartialObjectMetadata) *secretItem {
	out := &secretItem{changed: o.CreationTimestamp.UTC(), from: "its creation: nothing tells of later changes"}
	found := false
	for _, f := range o.ManagedFields {
		if f.Time == nil || f.FieldsV1 == nil || f.Subresource != "" || !ownsData(f.FieldsV1.GetRawBytes()) {
			continue
		}
		if at := f.Time.UTC(); !found || at.After(out.changed) {
			out.changed, out.from = at, "managedFields: the last write of "+w(f.Manager, kubeNameLimit)+", which wrote its data"
		}
		found = true
	}
	if o.CreationTimestamp.IsZero() && !found {
		out.changed = time.Time{}
	}
	return out
}

// ownsData reports whether a set of fields has a Secret's data among them.
func ownsData(fields []byte) bool {
	var top map[string]json.RawMessage
	if json.Unmarshal(fields, &top) != nil {
		return false
	}
	for name := range top {
		if name == "f:data" || name == "f:stringData" {
			return true
		}
	}
	return false
}

// assignment is NAME=value as people write it on a command line.
var assignment = regexp.MustCompile(`([A-Za-z0-9_.-]+)=("[^"]*"|'[^']*'|\S+)`)

// withoutValues takes out of a recorded command line what may be a secret: kubectl
// records what it was called with, values and all.
func withoutValues(command string) string {
	return assignment.ReplaceAllStringFunc(command, func(pair string) string {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimLeft(name, "-"), "record") {
			return pair
		}
		if strings.ContainsAny(value, ":/") && !secretive.MatchString(name) && strings.ToUpper(name) != name {
			return pair // container=image:tag
		}
		return name + "=…"
	})
}

var secretive = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|cred|auth|url|uri|dsn`)
