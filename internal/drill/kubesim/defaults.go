package kubesim

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// What the API server fills in where a client leaves it out.

func fill[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

func fillText[T ~string](p *T, v T) {
	if *p == "" {
		*p = v
	}
}

func defaultNamespace(_ *Sim, o Object) {
	n := o.(*corev1.Namespace)
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[corev1.LabelMetadataName] = n.Name
	n.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
	n.Status.Phase = corev1.NamespaceActive
}

func defaultSecret(_ *Sim, o Object) {
	x := o.(*corev1.Secret)
	fillText(&x.Type, corev1.SecretTypeOpaque)
	for k, v := range x.StringData {
		if x.Data == nil {
			x.Data = map[string][]byte{}
		}
		x.Data[k] = []byte(v)
	}
	x.StringData = nil
}

func defaultService(s *Sim, o Object) {
	x := o.(*corev1.Service)
	fillText(&x.Spec.Type, corev1.ServiceTypeClusterIP)
	fillText(&x.Spec.SessionAffinity, corev1.ServiceAffinityNone)
	if x.Spec.ClusterIP == "" {
		d := s.digest("service", x.Namespace, x.Name)
		x.Spec.ClusterIP = fmt.Sprintf("10.96.%d.%d", d[0], max(d[1], 1))
	}
	x.Spec.ClusterIPs = []string{x.Spec.ClusterIP}
	x.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	fill(&x.Spec.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack)
	fill(&x.Spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	for i := range x.Spec.Ports {
		p := &x.Spec.Ports[i]
		fillText(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == (intstr.IntOrString{}) {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

func defaultTemplate(t *corev1.PodTemplateSpec) { defaultPodSpec(&t.Spec) }

func defaultPodSpec(p *corev1.PodSpec) {
	fillText(&p.RestartPolicy, corev1.RestartPolicyAlways)
	fillText(&p.DNSPolicy, corev1.DNSClusterFirst)
	fillText(&p.SchedulerName, corev1.DefaultSchedulerName)
	fill(&p.TerminationGracePeriodSeconds, 30)
	if p.SecurityContext == nil {
		p.SecurityContext = &corev1.PodSecurityContext{}
	}
	p.DeprecatedServiceAccount = p.ServiceAccountName
	for _, list := range [][]corev1.Container{p.InitContainers, p.Containers} {
		for i := range list {
			c := &list[i]
			fillText(&c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
			fillText(&c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
			fillText(&c.ImagePullPolicy, corev1.PullIfNotPresent)
			for j := range c.Ports {
				fillText(&c.Ports[j].Protocol, corev1.ProtocolTCP)
			}
			if probe := c.ReadinessProbe; probe != nil {
				probe.TimeoutSeconds, probe.PeriodSeconds = max(probe.TimeoutSeconds, 1), orTen(probe.PeriodSeconds)
				probe.SuccessThreshold = max(probe.SuccessThreshold, 1)
				if probe.FailureThreshold == 0 {
					probe.FailureThreshold = 3
				}
				if probe.HTTPGet != nil {
					fillText(&probe.HTTPGet.Scheme, corev1.URISchemeHTTP)
					fillText(&probe.HTTPGet.Path, "/")
				}
			}
		}
	}
	for i := range p.Volumes {
		if v := p.Volumes[i].Secret; v != nil {
			fill(&v.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
		}
	}
}

func orTen(n int32) int32 {
	if n == 0 {
		return 10
	}
	return n
}

func defaultPod(_ *Sim, o Object) {
	p := o.(*corev1.Pod)
	fillText(&p.Spec.ServiceAccountName, "default")
	defaultPodSpec(&p.Spec)
	fill(&p.Spec.EnableServiceLinks, true)
	fillText(&p.Status.Phase, corev1.PodPending)
	fillText(&p.Status.QOSClass, corev1.PodQOSBestEffort)
}

func defaultDeployment(_ *Sim, o Object) {
	d := o.(*appsv1.Deployment)
	fill(&d.Spec.Replicas, 1)
	fill(&d.Spec.RevisionHistoryLimit, 10)
	fill(&d.Spec.ProgressDeadlineSeconds, 600)
	fillText(&d.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		if d.Spec.Strategy.RollingUpdate == nil {
			d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{}
		}
		quarter := intstr.FromString("25%")
		fill(&d.Spec.Strategy.RollingUpdate.MaxSurge, quarter)
		fill(&d.Spec.Strategy.RollingUpdate.MaxUnavailable, quarter)
	}
	defaultTemplate(&d.Spec.Template)
}

func defaultReplicaSet(_ *Sim, o Object) {
	x := o.(*appsv1.ReplicaSet)
	fill(&x.Spec.Replicas, 1)
	defaultTemplate(&x.Spec.Template)
}

func defaultStatefulSet(_ *Sim, o Object) {
	x := o.(*appsv1.StatefulSet)
	fill(&x.Spec.Replicas, 1)
	fill(&x.Spec.RevisionHistoryLimit, 10)
	fillText(&x.Spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	fillText(&x.Spec.UpdateStrategy.Type, appsv1.RollingUpdateStatefulSetStrategyType)
	if x.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType {
		if x.Spec.UpdateStrategy.RollingUpdate == nil {
			x.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{}
		}
		fill(&x.Spec.UpdateStrategy.RollingUpdate.Partition, 0)
	}
	defaultTemplate(&x.Spec.Template)
}

func defaultDaemonSet(_ *Sim, o Object) {
	x := o.(*appsv1.DaemonSet)
	fill(&x.Spec.RevisionHistoryLimit, 10)
	fillText(&x.Spec.UpdateStrategy.Type, appsv1.RollingUpdateDaemonSetStrategyType)
	if x.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		if x.Spec.UpdateStrategy.RollingUpdate == nil {
			x.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{}
		}
		fill(&x.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		fill(&x.Spec.UpdateStrategy.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
	defaultTemplate(&x.Spec.Template)
}

func defaultCronJob(_ *Sim, o Object) {
	x := o.(*batchv1.CronJob)
	fillText(&x.Spec.ConcurrencyPolicy, batchv1.AllowConcurrent)
	fill(&x.Spec.Suspend, false)
	fill(&x.Spec.SuccessfulJobsHistoryLimit, 3)
	fill(&x.Spec.FailedJobsHistoryLimit, 1)
	defaultTemplate(&x.Spec.JobTemplate.Spec.Template)
}

func defaultJob(_ *Sim, o Object) {
	x := o.(*batchv1.Job)
	fill(&x.Spec.Parallelism, 1)
	fill(&x.Spec.Completions, 1)
	fill(&x.Spec.BackoffLimit, 6)
	fill(&x.Spec.CompletionMode, batchv1.NonIndexedCompletion)
	fill(&x.Spec.Suspend, false)
	defaultTemplate(&x.Spec.Template)
}

func defaultExternalSecret(_ *Sim, o Object) {
	u := o.(*unstructured.Unstructured)
	set := func(v string, at ...string) {
		if _, found, _ := unstructured.NestedFieldNoCopy(u.Object, at...); !found {
			_ = unstructured.SetNestedField(u.Object, v, at...) // refused where the parent is no object, which validation tells
		}
	}
	set("1h0m0s", "spec", "refreshInterval")
	set("Owner", "spec", "target", "creationPolicy")
	set("Retain", "spec", "target", "deletionPolicy")
	set("SecretStore", "spec", "secretStoreRef", "kind")
}
