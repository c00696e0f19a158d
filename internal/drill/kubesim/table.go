package kubesim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"
)

// columnsOf makes columns of names: a plus is only for -o wide, a hash an
// integer, an exclamation mark a boolean.
func columnsOf(names string) []metav1.TableColumnDefinition {
	out := []metav1.TableColumnDefinition{{Name: "Name", Type: "string", Format: "name", Description: "Name of the object"}}
	for name := range strings.SplitSeq(names, ",") {
		c := metav1.TableColumnDefinition{Type: "string"}
		if rest, ok := strings.CutPrefix(name, "+"); ok {
			name, c.Priority = rest, 1
		}
		if rest, ok := strings.CutPrefix(name, "#"); ok {
			name, c.Type = rest, "integer"
		}
		if rest, ok := strings.CutPrefix(name, "!"); ok {
			name, c.Type = rest, "boolean"
		}
		c.Name, c.Description = name, name
		if name == "Name" {
			c.Format = "name"
		}
		out = append(out, c)
	}
	return out
}

// age is how long ago something was, as kubectl shows it.
func (s *Sim) age(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(s.at.Sub(t.Time))
}

// addTables says what kubectl get shows of each kind.
func (r *resources) addTables() {
	set := func(res *resource, columns string, row func(*Sim, Object) []any) {
		res.columns, res.row = columnsOf(columns), row
	}
	for _, res := range r.all {
		set(res, "Created At", func(_ *Sim, o Object) []any {
			return []any{o.GetName(), o.GetCreationTimestamp().UTC().Format(time.RFC3339)}
		})
	}
	set(r.pods, "Ready,Status,Restarts,Age,+IP,+Node,+Nominated Node,+Readiness Gates", podRow)
	set(r.nodes, "Status,Roles,Age,Version,+Internal-IP,+External-IP,+OS-Image,+Kernel-Version,+Container-Runtime", nodeRow)
	set(r.namespaces, "Status,Age", func(s *Sim, o Object) []any {
		return []any{o.GetName(), string(o.(*corev1.Namespace).Status.Phase), s.age(o.GetCreationTimestamp())}
	})
	event := func(s *Sim, o Object) []any { return eventRow(s, o.(*corev1.Event)) }
	r.events.columns = columnsOf("Type,Reason,Object,+Subobject,+Source,Message,+First Seen,+Count,+Name")
	r.events.columns[0] = metav1.TableColumnDefinition{Name: "Last Seen", Type: "string", Description: "Last Seen"}
	r.events.row = event
	r.newEvents.columns, r.newEvents.row = r.events.columns, event
	set(r.secrets, "Type,Data,Age", func(s *Sim, o Object) []any {
		x := o.(*corev1.Secret)
		return []any{x.Name, string(x.Type), len(x.Data), s.age(x.CreationTimestamp)}
	})
	set(r.configMaps, "Data,Age", func(s *Sim, o Object) []any {
		x := o.(*corev1.ConfigMap)
		return []any{x.Name, len(x.Data) + len(x.BinaryData), s.age(x.CreationTimestamp)}
	})
	set(r.accounts, "Age", func(s *Sim, o Object) []any { return []any{o.GetName(), s.age(o.GetCreationTimestamp())} })
	set(r.services, "Type,Cluster-IP,External-IP,Port(s),Age,+Selector", serviceRow)
	set(r.endpoints, "Endpoints,Age", func(s *Sim, o Object) []any {
		return []any{o.GetName(), endpointsText(o), s.age(o.GetCreationTimestamp())}
	})
	set(r.slices, "AddressType,Ports,Endpoints,Age", sliceRow)
	set(r.deployments, "Ready,Up-to-date,Available,Age,+Containers,+Images,+Selector", func(s *Sim, o Object) []any {
		d := o.(*appsv1.Deployment)
		names, images := containersOf(d.Spec.Template.Spec)
		return []any{d.Name, fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, *d.Spec.Replicas), int64(d.Status.UpdatedReplicas), int64(d.Status.AvailableReplicas),
			s.age(d.CreationTimestamp), names, images, metav1.FormatLabelSelector(d.Spec.Selector)}
	})
	set(r.replicaSets, "#Desired,#Current,#Ready,Age,+Containers,+Images,+Selector", func(s *Sim, o Object) []any {
		x := o.(*appsv1.ReplicaSet)
		names, images := containersOf(x.Spec.Template.Spec)
		return []any{x.Name, int64(*x.Spec.Replicas), int64(x.Status.Replicas), int64(x.Status.ReadyReplicas), s.age(x.CreationTimestamp), names, images, metav1.FormatLabelSelector(x.Spec.Selector)}
	})
	set(r.statefulSets, "Ready,Age,+Containers,+Images", func(s *Sim, o Object) []any {
		x := o.(*appsv1.StatefulSet)
		names, images := containersOf(x.Spec.Template.Spec)
		return []any{x.Name, fmt.Sprintf("%d/%d", x.Status.ReadyReplicas, *x.Spec.Replicas), s.age(x.CreationTimestamp), names, images}
	})
	set(r.daemonSets, "#Desired,#Current,#Ready,#Up-to-date,#Available,Node Selector,Age,+Containers,+Images,+Selector", func(s *Sim, o Object) []any {
		x := o.(*appsv1.DaemonSet)
		names, images := containersOf(x.Spec.Template.Spec)
		t := x.Status
		return []any{x.Name, int64(t.DesiredNumberScheduled), int64(t.CurrentNumberScheduled), int64(t.NumberReady), int64(t.UpdatedNumberScheduled), int64(t.NumberAvailable),
			labelText(x.Spec.Template.Spec.NodeSelector), s.age(x.CreationTimestamp), names, images, metav1.FormatLabelSelector(x.Spec.Selector)}
	})
	set(r.revisions, "Controller,#Revision,Age", func(s *Sim, o Object) []any {
		x := o.(*appsv1.ControllerRevision)
		owner := "<none>"
		if c := metav1.GetControllerOf(x); c != nil {
			owner = strings.ToLower(c.Kind) + ".apps/" + c.Name
		}
		return []any{x.Name, owner, x.Revision, s.age(x.CreationTimestamp)}
	})
	set(r.budgets, "Min Available,Max Unavailable,#Allowed Disruptions,Age", func(s *Sim, o Object) []any {
		x := o.(*policyv1.PodDisruptionBudget)
		low, high := "N/A", "N/A"
		if x.Spec.MinAvailable != nil {
			low = x.Spec.MinAvailable.String()
		}
		if x.Spec.MaxUnavailable != nil {
			high = x.Spec.MaxUnavailable.String()
		}
		return []any{x.Name, low, high, int64(x.Status.DisruptionsAllowed), s.age(x.CreationTimestamp)}
	})
	set(r.cronJobs, "Schedule,Timezone,!Suspend,#Active,Last Schedule,Age,+Containers,+Images,+Selector", cronJobRow)
	set(r.jobs, "Status,Completions,Duration,Age,+Containers,+Images,+Selector", jobRow)
	set(r.leases, "Holder,Age", func(s *Sim, o Object) []any {
		holder := ""
		if h := o.(*coordv1.Lease).Spec.HolderIdentity; h != nil {
			holder = *h
		}
		return []any{o.GetName(), holder, s.age(o.GetCreationTimestamp())}
	})
	set(r.externalSecrets, "StoreType,Store,Refresh Interval,Status,Ready,Last Sync", externalSecretRow)
	set(r.secretStores, "Age,Status,Capabilities,Ready", storeRow)
	set(r.clusterStores, "Age,Status,Capabilities,Ready", storeRow)
}

func containersOf(p corev1.PodSpec) (names, images string) {
	var n, i []string
	for _, c := range p.Containers {
		n, i = append(n, c.Name), append(i, c.Image)
	}
	return strings.Join(n, ","), strings.Join(i, ",")
}

func labelText(m map[string]string) string {
	if len(m) == 0 {
		return "<none>"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

func podRow(s *Sim, o Object) []any {
	p := o.(*corev1.Pod)
	ready, restarts := 0, 0
	reason := cmp.Or(p.Status.Reason, string(p.Status.Phase))
	var last metav1.Time
	for _, c := range p.Status.ContainerStatuses {
		restarts += int(c.RestartCount)
		if c.Ready {
			ready++
		}
		if t := c.LastTerminationState.Terminated; t != nil && last.Before(&t.FinishedAt) {
			last = t.FinishedAt
		}
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			reason = c.State.Waiting.Reason
		case c.State.Terminated != nil && c.State.Terminated.Reason != "":
			reason = c.State.Terminated.Reason
		}
	}
	if p.DeletionTimestamp != nil {
		reason = "Terminating"
	}
	count := fmt.Sprint(restarts)
	if restarts > 0 && !last.IsZero() {
		count += " (" + s.age(last) + " ago)"
	}
	none := func(t string) string { return cmp.Or(t, "<none>") }
	return []any{p.Name, fmt.Sprintf("%d/%d", ready, len(p.Spec.Containers)), reason, count, s.age(p.CreationTimestamp),
		none(p.Status.PodIP), none(p.Spec.NodeName), none(p.Status.NominatedNodeName), "<none>"}
}

func nodeRow(s *Sim, o Object) []any {
	n := o.(*corev1.Node)
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			status = "NotReady"
			if c.Status == corev1.ConditionTrue {
				status = "Ready"
			}
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	ip := "<none>"
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			ip = a.Address
		}
	}
	i := n.Status.NodeInfo
	return []any{n.Name, status, "<none>", s.age(n.CreationTimestamp), i.KubeletVersion, ip, "<none>", i.OSImage, i.KernelVersion, i.ContainerRuntimeVersion}
}

func eventRow(s *Sim, e *corev1.Event) []any {
	first, last := e.FirstTimestamp, e.LastTimestamp
	if first.IsZero() {
		first = metav1.NewTime(e.EventTime.Time)
	}
	if last.IsZero() {
		last = first
	}
	source := e.Source.Component
	if e.Source.Host != "" {
		source += ", " + e.Source.Host
	}
	return []any{s.age(last), e.Type, e.Reason, strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name, e.InvolvedObject.FieldPath,
		source, strings.TrimSpace(e.Message), s.age(first), int64(max(e.Count, 1)), e.Name}
}

func serviceRow(s *Sim, o Object) []any {
	x := o.(*corev1.Service)
	var ports []string
	for _, p := range x.Spec.Ports {
		ports = append(ports, fmt.Sprintf("%d/%s", p.Port, p.Protocol))
	}
	return []any{x.Name, string(x.Spec.Type), x.Spec.ClusterIP, "<none>", cmp.Or(strings.Join(ports, ","), "<none>"), s.age(x.CreationTimestamp), labelText(x.Spec.Selector)}
}

func sliceRow(s *Sim, o Object) []any {
	x := o.(*discoveryv1.EndpointSlice)
	var ports, addresses []string
	for _, p := range x.Ports {
		if p.Port != nil {
			ports = append(ports, fmt.Sprint(*p.Port))
		}
	}
	for _, e := range x.Endpoints {
		addresses = append(addresses, e.Addresses...)
	}
	text := strings.Join(addresses, ",")
	if len(addresses) > 3 {
		text = fmt.Sprintf("%s + %d more...", strings.Join(addresses[:3], ","), len(addresses)-3)
	}
	return []any{x.Name, string(x.AddressType), cmp.Or(strings.Join(ports, ","), "<unset>"), cmp.Or(text, "<unset>"), s.age(x.CreationTimestamp)}
}

func cronJobRow(s *Sim, o Object) []any {
	x := o.(*batchv1.CronJob)
	zone, last := "<none>", "<none>"
	if x.Spec.TimeZone != nil {
		zone = *x.Spec.TimeZone
	}
	if x.Status.LastScheduleTime != nil {
		last = s.age(*x.Status.LastScheduleTime)
	}
	names, images := containersOf(x.Spec.JobTemplate.Spec.Template.Spec)
	return []any{x.Name, x.Spec.Schedule, zone, *x.Spec.Suspend, int64(len(x.Status.Active)), last, s.age(x.CreationTimestamp), names, images, "<none>"}
}

func jobRow(s *Sim, o Object) []any {
	x := o.(*batchv1.Job)
	status := "Running"
	for _, c := range x.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			status = string(c.Type)
		}
	}
	took := ""
	if x.Status.StartTime != nil {
		end := s.at
		if x.Status.CompletionTime != nil {
			end = x.Status.CompletionTime.Time
		}
		took = duration.HumanDuration(end.Sub(x.Status.StartTime.Time))
	}
	names, images := containersOf(x.Spec.Template.Spec)
	return []any{x.Name, status, fmt.Sprintf("%d/%d", x.Status.Succeeded, *x.Spec.Completions), took, s.age(x.CreationTimestamp), names, images, metav1.FormatLabelSelector(x.Spec.Selector)}
}

// nested is a text within an unstructured object.
func nested(o *unstructured.Unstructured, at ...string) string {
	t, _, _ := unstructured.NestedString(o.Object, at...) // what is no text counts as none
	return t
}

// readyOf is the Ready condition of an unstructured object.
func readyOf(o *unstructured.Unstructured) (status, reason string) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == "Ready" {
			status, _ = m["status"].(string)
			reason, _ = m["reason"].(string)
		}
	}
	return status, reason
}

func externalSecretRow(s *Sim, o Object) []any {
	u := o.(*unstructured.Unstructured)
	status, reason := readyOf(u)
	last := "<none>"
	if t, err := time.Parse(time.RFC3339, nested(u, "status", "refreshTime")); err == nil {
		last = s.age(metav1.NewTime(t))
	}
	return []any{u.GetName(), nested(u, "spec", "secretStoreRef", "kind"), nested(u, "spec", "secretStoreRef", "name"), nested(u, "spec", "refreshInterval"), reason, status, last}
}

func storeRow(s *Sim, o Object) []any {
	u := o.(*unstructured.Unstructured)
	status, reason := readyOf(u)
	return []any{u.GetName(), s.age(u.GetCreationTimestamp()), reason, nested(u, "status", "capabilities"), status}
}
