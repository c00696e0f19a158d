package kubesim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// What a kubelet takes for it.
const (
	stopDelay    = time.Second      // a container to end when its pod is deleted
	crashDelay   = 2 * time.Second  // a container that cannot work to give up
	backoffFirst = 10 * time.Second // before a crashed container is started again, doubling
	backoffMost  = 5 * time.Minute
	refreshDelay = time.Minute // a changed Secret to reach the files of a volume
	mountRetry   = 30 * time.Second
)

// Health is how a pod that runs does with what it was started with.
type Health struct {
	// Failing pods are not ready; Crash has their container end, and be started
	// again with a growing delay.
	Failing, Crash bool
	// Message is what the readiness probe answers, or the container's last words.
	Message string
}

// Pod is a running pod as it sees itself.
type Pod struct {
	Namespace, Name, Node string
	Kind, Workload        string // what it belongs to, as Deployment user-service
	Labels                map[string]string
	At, Started           time.Time // now, and when its container started
	Restarts              int

	secrets map[string]func() map[string][]byte
}

// Secret is one key of a Secret as the pod knows it: of when it started, or of
// about a minute ago where it mounts it as files.
func (p Pod) Secret(name, key string) []byte {
	if read := p.secrets[name]; read != nil {
		return read()[key]
	}
	return nil
}

// String names the pod.
func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// podState is what the kubelet knows of a pod.
type podState struct {
	running   bool
	started   time.Time
	secrets   map[string]map[string][]byte // by name
	changed   map[string]time.Time         // when the kubelet saw that another one is stored, of volumes
	crashes   int
	restartAt time.Time
	stopAt    time.Time
	probed    time.Time
	health    Health
	finishAt  time.Time // of a job's pod

	complained bool // an event said that it is not ready
}

// stopPod begins the end of a pod.
func (s *Sim) stopPod(o Object, grace *int64) {
	p, ok := get[*corev1.Pod](s, s.r.pods, o.GetNamespace(), o.GetName())
	if !ok {
		return
	}
	st := s.pods[string(p.UID)]
	seconds := int64(30)
	if p.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *p.Spec.TerminationGracePeriodSeconds
	}
	if grace != nil {
		seconds = *grace
	}
	if seconds == 0 || st == nil || p.Spec.NodeName == "" {
		s.drop(s.r.pods, p)
		return
	}
	if p.DeletionTimestamp != nil {
		return
	}
	c := p.DeepCopy()
	t := metav1.NewTime(s.at.Add(time.Duration(seconds) * time.Second).Truncate(time.Second))
	c.DeletionTimestamp, c.DeletionGracePeriodSeconds = &t, &seconds
	st.stopAt = s.at.Add(min(stopDelay, time.Duration(seconds)*time.Second))
	s.put(s.r.pods, c)
	s.podEvent(c, corev1.EventTypeNormal, "Killing", "Stopping container "+c.Spec.Containers[0].Name)
	s.after(key{s.r.pods, c.Namespace, c.Name}, st.stopAt)
}

// kubelet is the scheduler and the kubelet for one pod.
func (s *Sim) kubelet(namespace, name string) {
	p, ok := get[*corev1.Pod](s, s.r.pods, namespace, name)
	if !ok {
		return
	}
	k := key{s.r.pods, namespace, name}
	st := s.pods[string(p.UID)]
	if st == nil {
		st = &podState{secrets: map[string]map[string][]byte{}, changed: map[string]time.Time{}}
		s.pods[string(p.UID)] = st
	}
	if p.DeletionTimestamp != nil {
		if !s.at.Before(st.stopAt) {
			s.drop(s.r.pods, p)
			return
		}
		s.after(k, st.stopAt)
		return
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return
	}
	c := p.DeepCopy()
	if c.Spec.NodeName == "" && !s.schedule(c) {
		s.store(p, c)
		return
	}
	if !st.running {
		s.start(k, c, st)
	} else {
		s.observe(k, c, st)
	}
	s.store(p, c)
}

// store puts a pod if anything about it changed.
func (s *Sim) store(old, c *corev1.Pod) {
	if old.Spec.NodeName != c.Spec.NodeName || !apiequality.Semantic.DeepEqual(old.Status, c.Status) {
		s.putStatus(s.r.pods, c)
	}
}

// schedule picks the node with the fewest pods.
func (s *Sim) schedule(c *corev1.Pod) bool {
	load := map[string]int{}
	nodes, other := 0, 0
	for _, n := range list[*corev1.Node](s, s.r.nodes, "") {
		nodes++
		switch {
		case n.Spec.Unschedulable || !nodeReady(n):
		case !labels.SelectorFromSet(c.Spec.NodeSelector).Matches(labels.Set(n.Labels)):
			other++
		default:
			load[n.Name] = 0
		}
	}
	for _, p := range list[*corev1.Pod](s, s.r.pods, "") {
		if _, ok := load[p.Spec.NodeName]; ok {
			load[p.Spec.NodeName]++
		}
	}
	names := slices.SortedFunc(maps.Keys(load), func(a, b string) int { return cmp.Or(cmp.Compare(load[a], load[b]), cmp.Compare(a, b)) })
	if len(names) == 0 {
		message := "0 nodes are available."
		if other > 0 {
			message = fmt.Sprintf("0/%d nodes are available: %d node(s) didn't match Pod's node affinity/selector. preemption: 0/%[1]d nodes are available: %[2]d Preemption is not helpful for scheduling.", nodes, other)
		}
		if setCondition(&c.Status.Conditions, s.stamp(), corev1.PodScheduled, false, "Unschedulable", message) {
			s.event(s.r.pods, c, corev1.EventTypeWarning, "FailedScheduling", corev1.DefaultSchedulerName, message)
		}
		return false
	}
	c.Spec.NodeName = names[0]
	setCondition(&c.Status.Conditions, s.stamp(), corev1.PodScheduled, true, "", "")
	s.event(s.r.pods, c, corev1.EventTypeNormal, "Scheduled", corev1.DefaultSchedulerName, fmt.Sprintf("Successfully assigned %s/%s to %s", c.Namespace, c.Name, c.Spec.NodeName))
	return true
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// start has the container run once its time has come and its Secrets are there.
func (s *Sim) start(k key, c *corev1.Pod, st *podState) {
	t := s.stamp()
	setCondition(&c.Status.Conditions, t, corev1.PodInitialized, true, "", "")
	if c.Status.StartTime == nil {
		c.Status.StartTime = &t
		node, _ := get[*corev1.Node](s, s.r.nodes, "", c.Spec.NodeName)
		if node != nil && len(node.Status.Addresses) > 0 {
			c.Status.HostIP = node.Status.Addresses[0].Address
			c.Status.HostIPs = []corev1.HostIP{{IP: c.Status.HostIP}}
		}
		s.waiting(c, "ContainerCreating", "")
	}
	due := c.CreationTimestamp.Add(s.o.StartDelay)
	if !st.restartAt.IsZero() {
		due = st.restartAt
	}
	if s.at.Before(due) {
		s.after(k, due)
		return
	}
	for _, use := range usesOf(c) {
		secret, ok := get[*corev1.Secret](s, s.r.secrets, c.Namespace, use.name)
		if !ok && !use.optional {
			if use.volume != "" {
				s.podEvent(c, corev1.EventTypeWarning, "FailedMount", fmt.Sprintf("MountVolume.SetUp failed for volume %q : secret %q not found", use.volume, use.name))
			} else {
				message := fmt.Sprintf("secret %q not found", use.name)
				s.waiting(c, "CreateContainerConfigError", message)
				s.podEvent(c, corev1.EventTypeWarning, "Failed", "Error: "+message)
			}
			st.restartAt = s.at.Add(mountRetry)
			s.after(k, st.restartAt)
			return
		}
		if ok {
			if _, there := secret.Data[use.key]; use.key != "" && !there && !use.optional {
				message := fmt.Sprintf("couldn't find key %s in Secret %s/%s", use.key, c.Namespace, use.name)
				s.waiting(c, "CreateContainerConfigError", message)
				s.podEvent(c, corev1.EventTypeWarning, "Failed", "Error: "+message)
				st.restartAt = s.at.Add(mountRetry)
				s.after(k, st.restartAt)
				return
			}
			st.secrets[use.name] = secret.Data
			delete(st.changed, use.name)
		}
	}
	st.running, st.started, st.restartAt, st.health, st.probed = true, s.at, time.Time{}, Health{}, time.Time{}
	if c.Status.PodIP == "" {
		d := s.digest("pod address", string(c.UID))
		c.Status.PodIP = fmt.Sprintf("10.244.%d.%d", d[0], max(d[1], 2))
		c.Status.PodIPs = []corev1.PodIP{{IP: c.Status.PodIP}}
	}
	c.Status.Phase = corev1.PodRunning
	c.Status.ObservedGeneration = c.Generation
	for i := range c.Spec.Containers {
		cs := s.container(c, i)
		started := true
		cs.State, cs.Ready, cs.Started = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: t}}, false, &started
		cs.ContainerID = "containerd://" + fmt.Sprintf("%x", s.digest("container", string(c.UID), fmt.Sprint(i, cs.RestartCount)))
	}
	s.readiness(c, false)
	first := c.Spec.Containers[0]
	s.podEvent(c, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", first.Image))
	s.podEvent(c, corev1.EventTypeNormal, "Created", "Container created")
	s.podEvent(c, corev1.EventTypeNormal, "Started", "Container started")
	if owner := metav1.GetControllerOf(c); owner != nil && owner.Kind == "Job" {
		st.finishAt = s.at.Add(s.jobTime(c, owner.Name))
	}
	s.observe(k, c, st)
}

// observe looks at a running pod.
func (s *Sim) observe(k key, c *corev1.Pod, st *podState) {
	if !st.finishAt.IsZero() {
		s.finish(k, c, st)
		return
	}
	s.refresh(k, c, st)
	ready := st.started.Add(s.o.ReadyDelay)
	every := max(s.o.ProbeEvery, s.gap/64)
	if s.at.Before(ready) {
		next := st.started.Add(crashDelay)
		if !s.at.Before(next) || next.After(ready) {
			next = ready
		}
		s.after(k, next)
	}
	if s.health != nil && (st.probed.IsZero() || !s.at.Before(st.probed.Add(every))) {
		st.health, st.probed = s.health(s.view(c, st)), s.at
	}
	switch {
	case st.health.Crash:
		if over := st.started.Add(crashDelay); s.at.Before(over) {
			s.after(k, over)
			return
		}
		s.crash(k, c, st)
		return
	case st.health.Failing:
		s.readiness(c, false)
		if !s.at.Before(ready) && s.past == nil {
			s.unhealthy(c, st, "Readiness probe failed: "+orText(st.health.Message, "HTTP probe failed with statuscode: 503"))
		}
	case !s.at.Before(ready):
		s.readiness(c, true)
		if s.at.Sub(st.started) > 10*time.Minute {
			st.crashes = 0 // the kubelet forgets
		}
	}
	if s.past == nil && s.health != nil {
		s.after(k, maxTime(ready, st.probed.Add(every)))
	}
}

func maxTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// refresh brings a changed Secret to the files of a volume, a minute later.
func (s *Sim) refresh(k key, c *corev1.Pod, st *podState) {
	for _, use := range usesOf(c) {
		if use.volume == "" || !use.refreshes {
			continue
		}
		secret, ok := get[*corev1.Secret](s, s.r.secrets, c.Namespace, use.name)
		if !ok || sameData(st.secrets[use.name], secret.Data) {
			delete(st.changed, use.name)
			continue
		}
		seen, known := st.changed[use.name]
		if !known {
			seen = s.at
			st.changed[use.name] = seen
		}
		if due := seen.Add(refreshDelay); s.at.Before(due) {
			s.after(k, due)
		} else {
			st.secrets[use.name] = secret.Data
			delete(st.changed, use.name)
		}
	}
}

func sameData(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, slices.Equal) }

// crash ends the container, to be started again after its back-off.
func (s *Sim) crash(k key, c *corev1.Pod, st *podState) {
	t := s.stamp()
	wait := min(backoffFirst<<min(st.crashes, 10), backoffMost)
	st.crashes++
	st.running = false
	st.restartAt = s.at.Add(max(wait, s.gap/64))
	for i := range c.Spec.Containers {
		cs := s.container(c, i)
		cs.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", Message: st.health.Message, StartedAt: metav1.NewTime(st.started.Truncate(time.Second)), FinishedAt: t, ContainerID: cs.ContainerID,
		}}
		cs.RestartCount++
		started := false
		cs.Ready, cs.Started = false, &started
		cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", wait, cs.Name, c.Name, c.Namespace, c.UID),
		}}
		s.podEvent(c, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)", cs.Name, c.Name, c.Namespace, c.UID))
	}
	s.readiness(c, false)
	s.after(k, st.restartAt)
}

// waiting has every container wait for a reason.
func (s *Sim) waiting(c *corev1.Pod, reason, message string) {
	for i := range c.Spec.Containers {
		cs := s.container(c, i)
		started := false
		cs.State, cs.Started = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}, &started
	}
	s.readiness(c, false)
}

// container is the status of a container.
func (s *Sim) container(c *corev1.Pod, i int) *corev1.ContainerStatus {
	for len(c.Status.ContainerStatuses) <= i {
		spec := c.Spec.Containers[len(c.Status.ContainerStatuses)]
		c.Status.ContainerStatuses = append(c.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: spec.Name, Image: spec.Image, ImageID: spec.Image + fmt.Sprintf("@sha256:%x", s.digest("image", spec.Image)),
		})
	}
	return &c.Status.ContainerStatuses[i]
}

// readiness sets whether containers and pod are ready.
func (s *Sim) readiness(c *corev1.Pod, ready bool) {
	for i := range c.Spec.Containers {
		s.container(c, i).Ready = ready
	}
	reason, message := "", ""
	if !ready {
		reason = "ContainersNotReady"
		var names []string
		for _, spec := range c.Spec.Containers {
			names = append(names, spec.Name)
		}
		message = fmt.Sprintf("containers with unready status: %s", names)
	}
	setCondition(&c.Status.Conditions, s.stamp(), corev1.ContainersReady, ready, reason, message)
	setCondition(&c.Status.Conditions, s.stamp(), corev1.PodReady, ready, reason, message)
}

// setCondition writes a pod's condition; it reports whether that changed.
func setCondition(list *[]corev1.PodCondition, at metav1.Time, kind corev1.PodConditionType, is bool, reason, message string) bool {
	status := corev1.ConditionFalse
	if is {
		status = corev1.ConditionTrue
	}
	i := slices.IndexFunc(*list, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		*list = append(*list, corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: at})
		return true
	}
	c := &(*list)[i]
	if c.Status == status && c.Reason == reason && c.Message == message {
		return false
	}
	if c.Status != status {
		c.LastTransitionTime = at
	}
	c.Status, c.Reason, c.Message = status, reason, message
	return true
}

// podReady reports whether a pod is ready, and since when.
func podReady(p *corev1.Pod) (since time.Time, ok bool) {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// podEvent is an event of a pod's first container, by its kubelet.
func (s *Sim) podEvent(c *corev1.Pod, kind, reason, message string) {
	s.eventOf(s.r.pods, c, kind, reason, corev1.EventSource{Component: "kubelet", Host: c.Spec.NodeName}, "spec.containers{"+c.Spec.Containers[0].Name+"}", message)
}

// use is one Secret that a pod needs.
type use struct {
	name, key, volume   string
	optional, refreshes bool
}

// usesOf lists the Secrets of a pod's environment and volumes.
func usesOf(c *corev1.Pod) (out []use) {
	yes := func(b *bool) bool { return b != nil && *b }
	for _, spec := range slices.Concat(c.Spec.InitContainers, c.Spec.Containers) {
		for _, e := range spec.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				r := e.ValueFrom.SecretKeyRef
				out = append(out, use{name: r.Name, key: r.Key, optional: yes(r.Optional)})
			}
		}
		for _, e := range spec.EnvFrom {
			if r := e.SecretRef; r != nil {
				out = append(out, use{name: r.Name, optional: yes(r.Optional)})
			}
		}
	}
	for _, v := range c.Spec.Volumes {
		files := true
		for _, spec := range c.Spec.Containers {
			for _, m := range spec.VolumeMounts {
				files = files && !(m.Name == v.Name && m.SubPath != "")
			}
		}
		if v.Secret != nil {
			out = append(out, use{name: v.Secret.SecretName, volume: v.Name, optional: yes(v.Secret.Optional), refreshes: files})
		}
		if v.Projected != nil {
			for _, src := range v.Projected.Sources {
				if src.Secret != nil {
					out = append(out, use{name: src.Secret.Name, volume: v.Name, optional: yes(src.Secret.Optional), refreshes: files})
				}
			}
		}
	}
	return out
}

// view is a pod as hooks see it.
func (s *Sim) view(c *corev1.Pod, st *podState) Pod {
	out := Pod{Namespace: c.Namespace, Name: c.Name, Node: c.Spec.NodeName, Labels: c.Labels, At: s.at, Started: st.started, secrets: map[string]func() map[string][]byte{}}
	for name, data := range st.secrets {
		out.secrets[name] = func() map[string][]byte { return data }
	}
	if len(c.Status.ContainerStatuses) > 0 {
		out.Restarts = int(c.Status.ContainerStatuses[0].RestartCount)
	}
	if owner := metav1.GetControllerOf(c); owner != nil {
		out.Kind, out.Workload = owner.Kind, owner.Name
		if rs, ok := get[Object](s, s.r.replicaSets, c.Namespace, owner.Name); ok && owner.Kind == "ReplicaSet" {
			if d := metav1.GetControllerOf(rs); d != nil {
				out.Kind, out.Workload = d.Kind, d.Name
			}
		}
	}
	return out
}
