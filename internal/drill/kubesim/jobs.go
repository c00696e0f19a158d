package kubesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JobResult is what becomes of one pod of a job.
type JobResult struct {
	Took   time.Duration // one second for none
	Failed bool
	Reason string // of the container's end: Error for none
	Words  string // its termination message
}

// A failed pod of a job is tried again after this, doubling, up to jobRetryMost.
const (
	jobRetry     = 10 * time.Second
	jobRetryMost = 6 * time.Minute
)

// scheduledAt is when a job of a CronJob was due.
const scheduledAt = "batch.kubernetes.io/cronjob-scheduled-timestamp"

// outcome asks the scenario what becomes of a job's pods.
func (s *Sim) outcome(namespace, jobName string) JobResult {
	name := jobName
	if j, ok := get[*batchv1.Job](s, s.r.jobs, namespace, jobName); ok {
		if c := metav1.GetControllerOf(j); c != nil {
			name = c.Name
		}
	}
	r := JobResult{}
	if s.job != nil {
		r = s.job(namespace, name, s.at)
	}
	r.Took = orElse(r.Took, time.Second)
	return r
}

func (s *Sim) jobTime(p *corev1.Pod, jobName string) time.Duration {
	return s.outcome(p.Namespace, jobName).Took
}

// finish ends a job's pod when its time has come.
func (s *Sim) finish(k key, c *corev1.Pod, st *podState) {
	if s.at.Before(st.finishAt) {
		s.readiness(c, true)
		s.after(k, st.finishAt)
		return
	}
	r := s.outcome(c.Namespace, metav1.GetControllerOf(c).Name)
	c.Status.Phase = corev1.PodSucceeded
	end := &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: metav1.NewTime(st.started.Truncate(time.Second)), FinishedAt: s.stamp()}
	if r.Failed {
		c.Status.Phase = corev1.PodFailed
		end.ExitCode, end.Reason, end.Message = 1, orText(r.Reason, "Error"), r.Words
	}
	s.readiness(c, false)
	for i := range c.Spec.Containers {
		cs := s.container(c, i)
		started := false
		cs.Started, cs.State = &started, corev1.ContainerState{Terminated: end.DeepCopy()}
		cs.State.Terminated.ContainerID = cs.ContainerID
	}
}

// jobController runs a job's pods until enough succeeded or too many failed.
func (s *Sim) jobController(namespace, name string) {
	old, ok := get[*batchv1.Job](s, s.r.jobs, namespace, name)
	if !ok || old.DeletionTimestamp != nil {
		return
	}
	j := old.DeepCopy()
	defer func() {
		if old.Spec.Selector == nil || !apiequality.Semantic.DeepEqual(old.Status, j.Status) {
			s.putStatus(s.r.jobs, j)
		}
	}()
	if j.Spec.Selector == nil {
		j.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batchv1.ControllerUidLabel: string(j.UID)}}
		if j.Spec.Template.Labels == nil {
			j.Spec.Template.Labels = map[string]string{}
		}
		j.Spec.Template.Labels[batchv1.ControllerUidLabel], j.Spec.Template.Labels[batchv1.JobNameLabel] = string(j.UID), j.Name
	}
	if slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	}) || *j.Spec.Suspend {
		return
	}
	const source = "job-controller"
	k := key{s.r.jobs, namespace, name}
	now := s.stamp()
	if j.Status.StartTime == nil {
		j.Status.StartTime = &now
	}
	var running, ready, succeeded, failed int32
	var lastFailure, deadline time.Time
	if d := j.Spec.ActiveDeadlineSeconds; d != nil {
		deadline = j.Status.StartTime.Add(time.Duration(*d) * time.Second)
		if s.at.Before(deadline) {
			s.after(k, deadline)
		}
	}
	pods := owned[*corev1.Pod](s, s.r.pods, j)
	for _, p := range pods {
		switch p.Status.Phase {
		case corev1.PodSucceeded:
			succeeded++
		case corev1.PodFailed:
			failed++
			if t := p.Status.ContainerStatuses[0].State.Terminated; t != nil {
				lastFailure = maxTime(lastFailure, t.FinishedAt.Time)
			}
		default:
			running++
			if _, ok := podReady(p); ok {
				ready++
			}
		}
	}
	j.Status.Active, j.Status.Ready, j.Status.Succeeded, j.Status.Failed = running, &ready, succeeded, failed
	end := func(kind batchv1.JobConditionType, event, reason, message string) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastProbeTime: now, LastTransitionTime: now})
		what := corev1.EventTypeNormal
		if kind == batchv1.JobFailed {
			what = corev1.EventTypeWarning
		}
		s.event(s.r.jobs, j, what, event, source, message)
	}
	switch {
	case succeeded >= *j.Spec.Completions:
		j.Status.CompletionTime = &now
		end(batchv1.JobComplete, "Completed", batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods")
	case failed > *j.Spec.BackoffLimit:
		end(batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
	case !deadline.IsZero() && !s.at.Before(deadline):
		for _, p := range pods {
			if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				s.stopPod(p, nil)
			}
		}
		j.Status.Failed, j.Status.Active, ready = failed+running, 0, 0
		end(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded, batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
	case running < min(*j.Spec.Parallelism, *j.Spec.Completions-succeeded):
		if failed > 0 {
			if due := lastFailure.Add(min(jobRetry<<min(failed-1, 10), jobRetryMost)); s.at.Before(due) {
				s.after(k, due)
				return
			}
		}
		p := s.makePod(s.r.jobs, j, j.Spec.Template, "", nil)
		j.Status.Active++
		s.event(s.r.jobs, j, corev1.EventTypeNormal, "SuccessfulCreate", source, "Created pod: "+p.Name)
	}
}

// cronJobController starts jobs when they are due and keeps a few of the past.
func (s *Sim) cronJobController(namespace, name string) {
	old, ok := get[*batchv1.CronJob](s, s.r.cronJobs, namespace, name)
	if !ok || old.DeletionTimestamp != nil {
		return
	}
	const source = "cronjob-controller"
	c := old.DeepCopy()
	jobs := owned[*batchv1.Job](s, s.r.jobs, c)
	slices.SortStableFunc(jobs, func(a, b *batchv1.Job) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	var good, bad []*batchv1.Job
	c.Status.Active = nil
	for _, j := range jobs {
		switch {
		case j.Status.CompletionTime != nil:
			good = append(good, j)
			if c.Status.LastSuccessfulTime == nil || c.Status.LastSuccessfulTime.Before(j.Status.CompletionTime) {
				c.Status.LastSuccessfulTime = j.Status.CompletionTime
			}
		case slices.ContainsFunc(j.Status.Conditions, func(k batchv1.JobCondition) bool { return k.Type == batchv1.JobFailed }):
			bad = append(bad, j)
		default:
			c.Status.Active = append(c.Status.Active, corev1.ObjectReference{Kind: "Job", APIVersion: "batch/v1", Namespace: j.Namespace, Name: j.Name, UID: j.UID, ResourceVersion: j.ResourceVersion})
		}
	}
	for _, list := range []struct {
		jobs []*batchv1.Job
		keep int
	}{{good, int(*c.Spec.SuccessfulJobsHistoryLimit)}, {bad, int(*c.Spec.FailedJobsHistoryLimit)}} {
		for i := range max(len(list.jobs)-list.keep, 0) {
			s.drop(s.r.jobs, list.jobs[i])
		}
	}
	plan, err := parseSchedule(c.Spec.Schedule)
	zone := time.UTC
	if c.Spec.TimeZone != nil {
		if z, e := time.LoadLocation(*c.Spec.TimeZone); e == nil {
			zone = z
		}
	}
	if err == nil && !*c.Spec.Suspend {
		last := c.CreationTimestamp.Time
		if c.Status.LastScheduleTime != nil {
			last = maxTime(last, c.Status.LastScheduleTime.Time)
		}
		next := plan.next(last.In(zone))
		if !next.IsZero() && !s.at.Before(next) {
			for later := plan.next(next); !later.IsZero() && !s.at.Before(later); later = plan.next(next) {
				next = later // what was missed is made up for once
			}
			t := metav1.NewTime(next.UTC())
			c.Status.LastScheduleTime = &t
			if c.Spec.ConcurrencyPolicy != batchv1.ForbidConcurrent || len(c.Status.Active) == 0 {
				j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
					Name: fmt.Sprintf("%s-%d", c.Name, next.Unix()/60), Namespace: namespace, Labels: c.Spec.JobTemplate.Labels,
					Annotations: map[string]string{scheduledAt: next.UTC().Format(time.RFC3339)}, OwnerReferences: ownerOf(s.r.cronJobs, c),
				}, Spec: *c.Spec.JobTemplate.Spec.DeepCopy()}
				defaultJob(s, j)
				s.put(s.r.jobs, j)
				s.event(s.r.cronJobs, c, corev1.EventTypeNormal, "SuccessfulCreate", source, "Created job "+j.Name)
			}
			next = plan.next(next)
		}
		if !next.IsZero() {
			s.after(key{s.r.cronJobs, namespace, name}, next)
		}
	}
	if !apiequality.Semantic.DeepEqual(old.Status, c.Status) {
		s.putStatus(s.r.cronJobs, c)
	}
}

// schedule is a cron expression of five fields, each the set of its values.
type schedule struct {
	minute, hour, day, month, weekday uint64
	anyDay, anyWeekday                bool
}

var macros = map[string]string{"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}

func parseSchedule(text string) (schedule, error) {
	if m, ok := macros[strings.TrimSpace(text)]; ok {
		text = m
	}
	f := strings.Fields(text)
	if len(f) != 5 {
		return schedule{}, fmt.Errorf("read the schedule %q: it has %d fields, not 5", text, len(f))
	}
	var out schedule
	var err error
	for i, p := range []struct {
		to       *uint64
		low, top int
	}{{&out.minute, 0, 59}, {&out.hour, 0, 23}, {&out.day, 1, 31}, {&out.month, 1, 12}, {&out.weekday, 0, 7}} {
		if *p.to, err = parseField(f[i], p.low, p.top); err != nil {
			return schedule{}, fmt.Errorf("read the schedule %q: %w", text, err)
		}
	}
	if out.weekday&(1<<7) != 0 {
		out.weekday |= 1
	}
	out.anyDay, out.anyWeekday = strings.HasPrefix(f[2], "*"), strings.HasPrefix(f[4], "*")
	return out, nil
}

func parseField(text string, low, top int) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step, from, to := 1, low, top
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return 0, fmt.Errorf("%q is no step", part)
			}
		}
		if span != "*" && span != "?" {
			a, b, ranged := strings.Cut(span, "-")
			if from, err = strconv.Atoi(a); err != nil {
				return 0, fmt.Errorf("%q is no number", part)
			}
			if !stepped {
				to = from
			}
			if ranged {
				if to, err = strconv.Atoi(b); err != nil {
					return 0, fmt.Errorf("%q is no range", part)
				}
			}
		}
		if from < low || to > top || from > to {
			return 0, fmt.Errorf("%q is not within %d and %d", part, low, top)
		}
		for v := from; v <= to; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

// next is the first time after t that the schedule names; zero if none in four
// years.
func (p schedule) next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(4, 0, 1); t.Before(end); {
		day := p.day&(1<<t.Day()) != 0
		week := p.weekday&(1<<int(t.Weekday())) != 0
		match := day && week
		if !p.anyDay && !p.anyWeekday {
			match = day || week // both are given: either will do
		}
		switch {
		case p.month&(1<<int(t.Month())) == 0:
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, t.Location())
		case !match:
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
		case p.hour&(1<<t.Hour()) == 0:
			t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
		case p.minute&(1<<t.Minute()) == 0:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}
