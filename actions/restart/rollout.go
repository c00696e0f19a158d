package restart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// restartWorkload restarts one workload and watches it. One that carries the run's
// annotation is only watched.
func (j *job) restartWorkload(ctx context.Context, t teller, m *member, v values, q *quotas) (detail string, skipped bool, err error) {
	read, err := open(j.p.s.Read, m.Cluster)
	if err != nil {
		return "", false, err
	}
	lately := time.Now().Add(-4 * j.p.pace)
	w, err := j.lens.workload(ctx, read, m, lately)
	if err != nil {
		return "", false, err
	}
	before := time.Time{} // of the last news of a rollout that is not ours
	if w.mark != j.Token {
		pods, err := j.lens.pods(ctx, read, m, w, lately)
		if err != nil {
			return "", false, err
		}
		if r := blocked(w, pods); r != nil {
			return "", false, r
		}
		if !j.All || w.desired == 0 {
			if ok, why := j.onNew(ctx, m, w, pods, v); ok {
				return why, true, nil
			}
		}
		give, err := q.take(ctx, read, w)
		if err != nil {
			return "", false, err
		}
		defer give()
		t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: "asked to restart; " + headroom(w)})
		before = w.progressAt
		if err := j.patch(ctx, read, m); err != nil {
			return "", false, err
		}
	}
	end := time.Now().Add(j.p.deadline())
	text, err := j.watch(ctx, t, read, m, before, end)
	if err != nil {
		return "", false, err
	}
	well, err := j.settle(ctx, t, read, m, v, end)
	return joined(text, well), false, err
}

// patch asks for the restart, until the workload carries the annotation or it is clear
// that it will not. The patch is the same every time, so that one that arrives twice
// restarts once.
func (j *job) patch(ctx context.Context, read *cluster, m *member) error {
	doing := "restart " + m.String()
	acting, err := open(j.p.s.Act, m.Cluster)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		restartedAt: time.Now().UTC().Format(time.RFC3339), runMark: j.Token,
	}}}}})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	const tries = 5
	for try := 1; ; try++ {
		err := acting.restart(ctx, m, body)
		if err == nil {
			return nil
		}
		f := acting.because(err, doing)
		if final(f, err) {
			return f
		}
		wait := j.p.pace << try
		if s, ok := apierrors.SuggestsClientDelay(err); ok {
			wait = max(wait, min(time.Duration(s)*time.Second, 30*time.Second))
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		// It may have taken effect all the same.
		if w, err := read.workload(ctx, m.Namespace, m.Kind, m.Name); err == nil && w.mark == j.Token {
			return nil
		}
		if try == tries {
			f.Next = "nothing was restarted, as the workload does not carry the run's annotation; " + f.Next
			return f
		}
	}
}

// restart sends the patch once.
func (c *cluster) restart(ctx context.Context, m *member, body []byte) error {
	bounded, cancel := context.WithTimeout(ctx, c.Limit())
	defer cancel()
	apps, o := c.Typed.AppsV1(), metav1.PatchOptions{FieldManager: "warroom"}
	var err error
	switch m.Kind {
	case deployment:
		_, err = apps.Deployments(m.Namespace).Patch(bounded, m.Name, types.StrategicMergePatchType, body, o)
	case statefulSet:
		_, err = apps.StatefulSets(m.Namespace).Patch(bounded, m.Name, types.StrategicMergePatchType, body, o)
	default:
		_, err = apps.DaemonSets(m.Namespace).Patch(bounded, m.Name, types.StrategicMergePatchType, body, o)
	}
	return err
}

// because is why a patch failed, with what to do.
func (c *cluster) because(err error, doing string) *estate.Failure {
	f := c.Failure(err, doing)
	switch {
	case f.Kind == estate.Denied:
		f.Next = "grant our identity patch on workloads in this namespace (docs/permissions.md), or act as another one (kubernetes: act)"
	case apierrors.IsConflict(err):
		f.Next = "somebody else changes it at the same time: find out who (kubectl rollout history), then resume"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		f.Next = "an admission rule of the cluster does not take the restart: see its message"
	case apierrors.IsNotFound(err):
		f.Kind, f.Next = estate.Missing, "find out who deleted it"
	case f.Next == "":
		f.Next = "look at the API server, then resume"
	}
	return f
}

// final reports whether asking again cannot help.
func final(f *estate.Failure, err error) bool {
	return f.Kind == estate.Denied || f.Kind == estate.NoIdentity || f.Kind == estate.Misconfigure || f.Kind == estate.Missing ||
		apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) || errors.Is(err, context.Canceled)
}

// interval is how long to wait before the next look at a rollout that has taken so
// long already.
func (p *Procedure) interval(since time.Time) time.Duration {
	return min(max(p.pace, time.Since(since)/8), 8*p.pace)
}

// watch follows a rollout until it is through. It fails at once where the cluster says
// that it will not be: past its own deadline, or with new pods that do not start.
func (j *job) watch(ctx context.Context, t teller, c *cluster, m *member, before, end time.Time) (string, error) {
	begun := time.Now()
	asOf := begun // nothing of before the patch says anything
	last, shown, gone := "nothing was seen of it yet", "", 0
	for {
		w, err := j.lens.workload(ctx, c, m, asOf)
		switch {
		case err != nil && (denied(err) || ctx.Err() != nil):
			return "", err
		case err != nil:
			var f *estate.Failure
			if gone++; errors.As(err, &f) && f.Kind == estate.Missing && gone > 1 {
				return "", err
			}
			last = err.Error() // it is looked at again
		case w.mark != j.Token:
			return "", &estate.Failure{
				Kind: estate.BadAnswer, Doing: "watch the restart of " + m.String(), Detail: "somebody restarted or changed it meanwhile: its template no longer carries this run's annotation",
				Next: fmt.Sprintf("find out who (kubectl -n %s rollout history %s/%s); once that rollout is through, plan again", m.Namespace, m.Kind, m.Name),
			}
		default:
			gone = 0
			done, text := w.rolled()
			if last = text; done {
				return text, nil
			}
			if w.progress == "ProgressDeadlineExceeded" && w.observed >= w.generation && !w.progressAt.Equal(before) {
				return "", j.stuck(ctx, c, m, w, "its rollout exceeded its own deadline: "+j.p.s.Read.Text(w.progressing, 160))
			}
			// Pods only tell why it takes long: a list of them, which is the largest thing
			// that is read, may be a moment old.
			pods, err := j.lens.pods(ctx, c, m, w, time.Now().Add(-8*j.p.pace))
			if err == nil {
				why, fatal := j.sick(pods)
				if fatal {
					return "", j.stuck(ctx, c, m, w, why)
				}
				last = joined(text, why)
			}
		}
		if last != shown {
			t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: last})
			shown = last
		}
		if !time.Now().Before(end) {
			return "", j.stuck(ctx, c, m, w, fmt.Sprintf("it was not through after %s: %s", j.p.deadline(), last))
		}
		wait := j.p.interval(begun)
		if err := pause(ctx, min(wait, max(time.Until(end), time.Millisecond))); err != nil {
			return "", err
		}
		if lately := time.Now().Add(-wait / 2); lately.After(asOf) {
			asOf = lately
		}
	}
}

// stuck is the failure of a rollout, with what still serves.
func (j *job) stuck(_ context.Context, _ *cluster, m *member, w *workload, why string) error {
	f := &estate.Failure{
		Kind: estate.BadAnswer, Doing: "restart " + m.String(), Detail: why,
		Next: fmt.Sprintf("kubectl -n %s describe %s/%s and the logs of its new pods tell why; then resume, which only watches it", m.Namespace, m.Kind, m.Name),
	}
	if w != nil {
		f.Detail += fmt.Sprintf(" (%d of %d available)", w.available, w.desired)
	}
	return f
}

// sick says what keeps new pods of a run from being ready, and whether waiting cannot
// help. Pods of before the restart are not looked at.
func (j *job) sick(pods []corev1.Pod) (string, bool) {
	waits := ""
	for i := range pods {
		p := &pods[i]
		if p.Annotations[runMark] != j.Token {
			continue
		}
		for _, c := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...) {
			if c.State.Waiting == nil {
				continue
			}
			reason := c.State.Waiting.Reason
			text := strings.TrimSuffix(fmt.Sprintf("container %s of its new pod %s does not start: %s: %s", c.Name, p.Name, reason, j.p.s.Read.Text(c.State.Waiting.Message, 160)), ": ")
			switch reason {
			case "CrashLoopBackOff":
				// The first may be a dependency that was a moment late.
				if c.RestartCount >= 2 {
					return text, true
				}
				waits = text
			case "CreateContainerConfigError", "CreateContainerError", "InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "RunContainerError":
				return text, true
			case "ErrImagePull":
				waits = text
			}
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && waits == "" {
				waits = fmt.Sprintf("its new pod %s has no place: %s", p.Name, j.p.s.Read.Text(c.Message, 160))
			}
		}
	}
	return waits, false
}

// settle waits until a restarted workload's health endpoint is well, and then that it
// stays well for the soak: available, without a container that restarts.
func (j *job) settle(ctx context.Context, t teller, c *cluster, m *member, v values, end time.Time) (string, error) {
	begun := time.Now()
	text := ""
	for {
		ok, why := j.p.well(ctx, m.Component, v.versions)
		if text = why; ok {
			break
		}
		t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: "through; " + why})
		if !time.Now().Before(end) {
			return "", j.stuck(ctx, c, m, nil, "every pod is new and available, and "+why)
		}
		if err := pause(ctx, j.p.interval(begun)); err != nil {
			return "", err
		}
	}
	soak := j.p.s.Config.Recovery.Soak
	until := time.Now().Add(soak)
	restarts := map[types.UID]int32{}
	bad := 0
	for first := true; ; first = false {
		why, w := j.unsettled(ctx, c, m, v, restarts, first)
		switch {
		case why == "":
			bad = 0
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		default:
			if bad++; bad > 2 {
				return "", j.stuck(ctx, c, m, w, "it did not stay well after its rollout: "+why)
			}
		}
		left := time.Until(until)
		if left <= 0 && bad == 0 {
			break
		}
		if left > 0 && first {
			t.Part(plan.Part{Name: m.String(), State: plan.Running, Detail: fmt.Sprintf("through; must stay well for %s", soak)})
		}
		wait := max(j.p.pace, min(soak/10, 8*j.p.pace))
		if left > 0 {
			wait = min(wait, max(left, time.Millisecond))
		}
		if err := pause(ctx, wait); err != nil {
			return "", err
		}
	}
	j.soaked(m)
	if soak > 0 {
		text = joined(text, fmt.Sprintf("well for %s", soak))
	}
	return text, nil
}

// unsettled says what is no longer well of a workload that rolled; empty for nothing.
// A container that restarted since the first look is told every time.
func (j *job) unsettled(ctx context.Context, c *cluster, m *member, v values, restarts map[types.UID]int32, first bool) (string, *workload) {
	lately := time.Now().Add(-j.p.pace)
	w, err := j.lens.workload(ctx, c, m, lately)
	if err != nil {
		return err.Error(), nil
	}
	pods, err := j.lens.pods(ctx, c, m, w, lately)
	if err != nil {
		return err.Error(), w
	}
	for i := range pods {
		var n int32
		for _, s := range pods[i].Status.ContainerStatuses {
			n += s.RestartCount
		}
		if first {
			restarts[pods[i].UID] = n
		}
		if n > restarts[pods[i].UID] {
			return fmt.Sprintf("a container of pod %s has restarted", pods[i].Name), w
		}
	}
	if why, fatal := j.sick(pods); fatal {
		return why, w
	}
	if done, text := w.rolled(); !done {
		return text, w
	}
	if !first {
		if ok, why := j.p.well(ctx, m.Component, v.versions); !ok {
			return why, w
		}
	}
	return "", w
}
