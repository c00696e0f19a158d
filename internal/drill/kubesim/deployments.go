package kubesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Annotations of the deployment controller.
const (
	revisionKey    = "deployment.kubernetes.io/revision"
	historyKey     = "deployment.kubernetes.io/revision-history"
	desiredKey     = "deployment.kubernetes.io/desired-replicas"
	maxReplicasKey = "deployment.kubernetes.io/max-replicas"
	lastAppliedKey = corev1.LastAppliedConfigAnnotation
	hashLabel      = appsv1.DefaultDeploymentUniqueLabelKey
)

const deploymentSource = "deployment-controller"

// rollout is one look at a Deployment and what it owns.
type rollout struct {
	*Sim
	d          *appsv1.Deployment // a copy that may be changed
	sets       []*appsv1.ReplicaSet
	newSet     *appsv1.ReplicaSet
	why, words string // of the Progressing condition, when this look made progress
}

// deploymentController moves a Deployment towards its template.
func (s *Sim) deploymentController(namespace, name string) {
	old, ok := get[*appsv1.Deployment](s, s.r.deployments, namespace, name)
	if !ok || old.DeletionTimestamp != nil {
		return
	}
	r := &rollout{Sim: s, d: old.DeepCopy()}
	r.load()
	if r.d.Spec.Paused {
		if r.newSet != nil {
			r.resize()
		}
	} else {
		r.current()
		if r.resized() {
			r.resize()
		} else if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
			r.recreate()
		} else {
			r.roll()
		}
		r.tidy()
	}
	r.load()
	r.status()
	if !maps.Equal(old.Annotations, r.d.Annotations) || !apiequality.Semantic.DeepEqual(old.Status, r.d.Status) {
		s.putStatus(s.r.deployments, r.d)
	}
}

// load reads the ReplicaSets, oldest first.
func (r *rollout) load() {
	r.sets = owned[*appsv1.ReplicaSet](r.Sim, r.r.replicaSets, r.d)
	slices.SortStableFunc(r.sets, func(a, b *appsv1.ReplicaSet) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	r.newSet = nil
	for _, rs := range r.sets {
		if r.sameTemplate(rs) {
			r.newSet = rs
			return
		}
	}
}

// likeness is a state of a ReplicaSet beside one of its Deployment.
type likeness struct {
	set, deployment             types.UID
	setGeneration, ofGeneration int64
}

// sameTemplate reports whether a ReplicaSet is of the Deployment's template.
func (r *rollout) sameTemplate(rs *appsv1.ReplicaSet) bool {
	k := likeness{rs.UID, r.d.UID, rs.Generation, r.d.Generation}
	same, known := r.alike[k]
	if !known {
		if len(r.alike) > 10_000 {
			clear(r.alike)
		}
		x, y := rs.Spec.Template, r.d.Spec.Template // no more than their labels is changed
		x.Labels, y.Labels = maps.Clone(x.Labels), maps.Clone(y.Labels)
		delete(x.Labels, hashLabel)
		delete(y.Labels, hashLabel)
		same = apiequality.Semantic.DeepEqual(x, y)
		r.alike[k] = same
	}
	return same
}

func (r *rollout) others() []*appsv1.ReplicaSet {
	return slices.DeleteFunc(slices.Clone(r.sets), func(rs *appsv1.ReplicaSet) bool { return r.newSet != nil && rs.UID == r.newSet.UID })
}

func revisionOf(o Object) int64 {
	n, _ := strconv.ParseInt(o.GetAnnotations()[revisionKey], 10, 64) // none is 0
	return n
}

// annotations are a Deployment's, as its ReplicaSets carry them.
func (r *rollout) annotations(rs *appsv1.ReplicaSet, revision string) {
	a := maps.Clone(rs.Annotations)
	if a == nil {
		a = map[string]string{}
	}
	for k, v := range r.d.Annotations {
		if k != lastAppliedKey && !strings.HasPrefix(k, "deployment.kubernetes.io/") {
			a[k] = v
		}
	}
	if before := a[revisionKey]; before != "" && before != revision {
		a[historyKey] = strings.TrimPrefix(a[historyKey]+","+before, ",")
	}
	a[revisionKey] = revision
	r.sizes(a)
	rs.Annotations = a
}

func (r *rollout) sizes(a map[string]string) {
	surge, _ := r.fences()
	a[desiredKey] = fmt.Sprint(*r.d.Spec.Replicas)
	a[maxReplicasKey] = fmt.Sprint(int(*r.d.Spec.Replicas) + surge)
}

// current finds or makes the ReplicaSet of the template, and numbers it.
func (r *rollout) current() {
	var last int64
	for _, rs := range r.others() {
		last = max(last, revisionOf(rs))
	}
	revision := fmt.Sprint(last + 1)
	if r.newSet != nil {
		if revisionOf(r.newSet) <= last {
			c := r.newSet.DeepCopy()
			r.annotations(c, revision)
			r.put(r.r.replicaSets, c)
			r.newSet = c
			r.why, r.words = "FoundNewReplicaSet", fmt.Sprintf("Found new replica set %q", c.Name)
			r.load()
		}
	} else {
		hash := hashOf(r.d.Spec.Template)
		rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Name: r.d.Name + "-" + hash, Namespace: r.d.Namespace, OwnerReferences: ownerOf(r.r.deployments, r.d), Labels: maps.Clone(r.d.Spec.Template.Labels),
		}}
		for taken := 0; ; taken++ {
			if _, there := get[Object](r.Sim, r.r.replicaSets, rs.Namespace, rs.Name); !there {
				break
			}
			hash = hashOf([]any{r.d.Spec.Template, taken})
			rs.Name = r.d.Name + "-" + hash
		}
		metav1.SetMetaDataLabel(&rs.ObjectMeta, hashLabel, hash)
		rs.Spec.Template = *r.d.Spec.Template.DeepCopy()
		if rs.Spec.Template.Labels == nil {
			rs.Spec.Template.Labels = map[string]string{}
		}
		rs.Spec.Template.Labels[hashLabel] = hash
		rs.Spec.Selector = r.d.Spec.Selector.DeepCopy()
		if rs.Spec.Selector.MatchLabels == nil {
			rs.Spec.Selector.MatchLabels = map[string]string{}
		}
		rs.Spec.Selector.MatchLabels[hashLabel] = hash
		rs.Spec.MinReadySeconds = r.d.Spec.MinReadySeconds
		n := int32(0)
		rs.Spec.Replicas = &n
		r.annotations(rs, revision)
		r.put(r.r.replicaSets, rs)
		r.why, r.words = "NewReplicaSetCreated", fmt.Sprintf("Created new replica set %q", rs.Name)
		r.load()
		if r.newSet == nil {
			return
		}
		if r.d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
			r.grow()
		}
	}
	if r.newSet != nil && r.d.Annotations[revisionKey] != r.newSet.Annotations[revisionKey] {
		metav1.SetMetaDataAnnotation(&r.d.ObjectMeta, revisionKey, r.newSet.Annotations[revisionKey])
	}
}

// fences are maxSurge and maxUnavailable in pods; they are never both 0.
func (r *rollout) fences() (surge, unavailable int) {
	u := r.d.Spec.Strategy.RollingUpdate
	if u == nil {
		return 0, 0
	}
	n := int(*r.d.Spec.Replicas)
	surge, _ = intstr.GetScaledValueFromIntOrPercent(u.MaxSurge, n, true) // a bad one is 0
	unavailable, _ = intstr.GetScaledValueFromIntOrPercent(u.MaxUnavailable, n, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, n)
}

func total(sets []*appsv1.ReplicaSet) (want, have, ready, available int) {
	for _, rs := range sets {
		want += int(*rs.Spec.Replicas)
		have += int(rs.Status.Replicas)
		ready += int(rs.Status.ReadyReplicas)
		available += int(rs.Status.AvailableReplicas)
	}
	return
}

// scale sets the size of a ReplicaSet and says so.
func (r *rollout) scale(rs *appsv1.ReplicaSet, n int) {
	from := int(*rs.Spec.Replicas)
	if n == from {
		return
	}
	c := rs.DeepCopy()
	m := int32(n)
	c.Spec.Replicas = &m
	r.sizes(c.Annotations)
	r.put(r.r.replicaSets, c)
	up := "down"
	if n > from {
		up = "up"
	}
	r.event(r.r.deployments, r.d, corev1.EventTypeNormal, "ScalingReplicaSet", deploymentSource, fmt.Sprintf("Scaled %s replica set %s from %d to %d", up, c.Name, from, n))
	if r.why == "" {
		r.why, r.words = "ReplicaSetUpdated", fmt.Sprintf("ReplicaSet %q is progressing.", r.nameOfNew())
	}
	r.load()
}

func (r *rollout) nameOfNew() string {
	if r.newSet == nil {
		return ""
	}
	return r.newSet.Name
}

// resized reports whether the Deployment was scaled since its ReplicaSets were.
func (r *rollout) resized() bool {
	return slices.ContainsFunc(r.sets, func(rs *appsv1.ReplicaSet) bool {
		return *rs.Spec.Replicas > 0 && rs.Annotations[desiredKey] != "" && rs.Annotations[desiredKey] != fmt.Sprint(*r.d.Spec.Replicas)
	})
}

// resize spreads a new size over the ReplicaSets that have pods, by their share.
func (r *rollout) resize() {
	sized := slices.DeleteFunc(slices.Clone(r.sets), func(rs *appsv1.ReplicaSet) bool { return *rs.Spec.Replicas == 0 })
	n := int(*r.d.Spec.Replicas)
	if len(sized) == 0 {
		if r.newSet != nil {
			r.scale(r.newSet, n)
		}
		return
	}
	if len(sized) == 1 {
		r.scale(sized[0], n)
		return
	}
	surge, _ := r.fences()
	allowed := 0
	if n > 0 {
		allowed = n + surge
	}
	have, _, _, _ := total(sized)
	slices.SortStableFunc(sized, func(a, b *appsv1.ReplicaSet) int { return int(*b.Spec.Replicas) - int(*a.Spec.Replicas) })
	left := allowed
	for i, rs := range sized {
		share := int(*rs.Spec.Replicas) * allowed / have
		if i == len(sized)-1 {
			share = left
		}
		share = min(share, left)
		left -= share
		r.scale(rs, share)
	}
	for _, rs := range r.sets { // those whose share did not change are sized too
		if rs.Annotations[desiredKey] != fmt.Sprint(n) {
			c := rs.DeepCopy()
			r.sizes(c.Annotations)
			r.put(r.r.replicaSets, c)
		}
	}
	r.load()
}

// grow scales the new ReplicaSet up as far as maxSurge lets it.
func (r *rollout) grow() {
	n := int(*r.d.Spec.Replicas)
	size := int(*r.newSet.Spec.Replicas)
	if size >= n {
		if size > n {
			r.scale(r.newSet, n)
		}
		return
	}
	surge, _ := r.fences()
	all, _, _, _ := total(r.sets)
	if room := n + surge - all; room > 0 {
		r.scale(r.newSet, size+min(room, n-size))
	}
}

// roll takes one step of a rolling update: up, or else down.
func (r *rollout) roll() {
	if r.newSet == nil {
		return
	}
	before := r.newSet.ResourceVersion
	r.grow()
	if r.newSet == nil || r.newSet.ResourceVersion != before {
		return
	}
	old := r.others()
	oldSize, _, _, _ := total(old)
	if oldSize == 0 {
		return
	}
	n := int(*r.d.Spec.Replicas)
	_, unavailable := r.fences()
	all, _, _, available := total(r.sets)
	least := n - unavailable
	mayGo := all - least - (int(*r.newSet.Spec.Replicas) - int(r.newSet.Status.AvailableReplicas))
	if mayGo <= 0 {
		return
	}
	// Those that do not work go first; they are missed by nobody.
	gone := 0
	for _, rs := range old {
		sick := int(*rs.Spec.Replicas) - int(rs.Status.AvailableReplicas)
		if take := min(mayGo-gone, sick); take > 0 {
			r.scale(rs, int(*rs.Spec.Replicas)-take)
			gone += take
		}
	}
	spare := available - least
	for _, rs := range r.others() {
		if take := min(spare, int(*rs.Spec.Replicas)); spare > 0 && take > 0 {
			r.scale(rs, int(*rs.Spec.Replicas)-take)
			spare -= take
		}
	}
}

// recreate ends every old pod before it starts a new one.
func (r *rollout) recreate() {
	for _, rs := range r.others() {
		r.scale(rs, 0)
	}
	for _, rs := range r.others() {
		if len(owned[*corev1.Pod](r.Sim, r.Sim.r.pods, rs)) > 0 {
			r.after(key{r.Sim.r.deployments, r.d.Namespace, r.d.Name}, r.at.Add(stopDelay))
			return
		}
	}
	if r.newSet != nil {
		r.scale(r.newSet, int(*r.d.Spec.Replicas))
	}
}

// tidy deletes old revisions beyond the limit, once the rollout is over.
func (r *rollout) tidy() {
	var idle []*appsv1.ReplicaSet
	for _, rs := range r.others() {
		if *rs.Spec.Replicas == 0 && rs.Status.Replicas == 0 && rs.Generation <= rs.Status.ObservedGeneration {
			idle = append(idle, rs)
		}
	}
	over := len(idle) - int(*r.d.Spec.RevisionHistoryLimit)
	if over <= 0 || !r.complete() {
		return
	}
	slices.SortStableFunc(idle, func(a, b *appsv1.ReplicaSet) int { return int(revisionOf(a) - revisionOf(b)) })
	for _, rs := range idle[:over] {
		r.drop(r.r.replicaSets, rs)
	}
}

// complete reports whether every pod is new and available, and no other left.
func (r *rollout) complete() bool {
	n := int(*r.d.Spec.Replicas)
	_, have, _, available := total(r.sets)
	return r.newSet != nil && int(r.newSet.Status.Replicas) == n && have == n && available == n
}

// status writes what the Deployment has come to.
func (r *rollout) status() {
	before := r.d.Status
	_, have, ready, available := total(r.sets)
	n := int(*r.d.Spec.Replicas)
	st := appsv1.DeploymentStatus{
		ObservedGeneration: r.d.Generation, Replicas: int32(have), ReadyReplicas: int32(ready), AvailableReplicas: int32(available),
		UnavailableReplicas: int32(max(n, have) - available), Conditions: slices.Clone(before.Conditions),
	}
	st.UnavailableReplicas = max(st.UnavailableReplicas, 0)
	if r.newSet != nil {
		st.UpdatedReplicas = r.newSet.Status.Replicas
	}
	r.d.Status = st
	_, unavailable := r.fences()
	if available >= n-unavailable {
		r.condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability.", false)
	} else {
		r.condition(appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", false)
	}
	r.progress(before)
	r.failures()
	slices.SortStableFunc(r.d.Status.Conditions, func(a, b appsv1.DeploymentCondition) int { return strings.Compare(string(a.Type), string(b.Type)) })
}

// progress writes the Progressing condition, and watches its deadline.
func (r *rollout) progress(before appsv1.DeploymentStatus) {
	const kind = appsv1.DeploymentProgressing
	have := r.find(kind)
	name := r.nameOfNew()
	st := r.d.Status
	switch {
	case r.d.Spec.Paused:
		if have == nil || have.Reason != "DeploymentPaused" {
			r.condition(kind, corev1.ConditionUnknown, "DeploymentPaused", "Deployment is paused", true)
		}
		return
	case have != nil && have.Reason == "DeploymentPaused":
		r.condition(kind, corev1.ConditionUnknown, "DeploymentResumed", "Deployment is resumed", true)
		have = r.find(kind)
	}
	moved := r.why != "" || st.UpdatedReplicas > before.UpdatedReplicas || st.ReadyReplicas > before.ReadyReplicas || st.AvailableReplicas > before.AvailableReplicas ||
		before.Replicas-before.UpdatedReplicas > st.Replicas-st.UpdatedReplicas
	done := st.UpdatedReplicas == *r.d.Spec.Replicas && st.Replicas == *r.d.Spec.Replicas && st.AvailableReplicas == *r.d.Spec.Replicas
	// A rollout that is over stays so whatever becomes of its pods.
	over := have != nil && have.Reason == "NewReplicaSetAvailable" && r.why == "" && st.UpdatedReplicas == st.Replicas
	switch {
	case done:
		if have == nil || have.Reason != "NewReplicaSetAvailable" {
			r.condition(kind, corev1.ConditionTrue, "NewReplicaSetAvailable", fmt.Sprintf("ReplicaSet %q has successfully progressed.", name), true)
		}
		return
	case over:
		return
	case moved || have == nil:
		reason, words := r.why, r.words
		if reason == "" {
			reason, words = "ReplicaSetUpdated", fmt.Sprintf("ReplicaSet %q is progressing.", name)
		}
		r.condition(kind, corev1.ConditionTrue, reason, words, true)
	}
	have = r.find(kind)
	if limit := *r.d.Spec.ProgressDeadlineSeconds; have.Reason != "ProgressDeadlineExceeded" && limit < 1<<31-1 {
		due := have.LastUpdateTime.Add(time.Duration(limit)*time.Second + time.Second) // it is to be exceeded
		if r.at.Before(due) {
			r.after(key{r.r.deployments, r.d.Namespace, r.d.Name}, due)
		} else {
			r.condition(kind, corev1.ConditionFalse, "ProgressDeadlineExceeded", fmt.Sprintf("ReplicaSet %q has timed out progressing.", name), true)
		}
	}
}

func (r *rollout) find(kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	i := slices.IndexFunc(r.d.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &r.d.Status.Conditions[i]
}

// condition writes a condition; its update time moves where it says something
// new, or where always is set.
func (r *rollout) condition(kind appsv1.DeploymentConditionType, is corev1.ConditionStatus, reason, message string, always bool) {
	now := r.stamp()
	next := appsv1.DeploymentCondition{Type: kind, Status: is, Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now}
	c := r.find(kind)
	if c == nil {
		r.d.Status.Conditions = append(r.d.Status.Conditions, next)
		return
	}
	if c.Status == is {
		next.LastTransitionTime = c.LastTransitionTime
		if c.Reason == reason && !always {
			next.LastUpdateTime = c.LastUpdateTime
		}
	}
	*c = next
}
