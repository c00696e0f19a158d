package drill

import (
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/drill/kubesim"
)

// makeCluster runs every service as a Deployment with a Secret of its own, from a
// few releases on.
func (l *large) makeCluster() error {
	l.cluster = kubesim.New(kubesim.Options{Clock: l.now, Seed: l.seed})
	rules, err := rulesOf(kubernetesRole)
	if err != nil {
		return err
	}
	l.cluster.AddUser(kubesim.User{Name: "warroom", Rules: rules}, l.kubeToken("warroom"))
	l.cluster.AddUser(kubesim.User{Name: kubeOperator, Groups: []string{"system:masters"}}, l.kubeToken(kubeOperator))
	if err := l.addActor(l.cluster); err != nil {
		return err
	}
	l.cluster.Past(l.ago(kubeAge))
	l.cluster.Build()
	for i := range largeServices {
		name := largeService(i)
		err = errors.Join(err, l.cluster.Apply("kubectl-client-side-apply",
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: kubeNamespace}, Data: map[string][]byte{"password": []byte(l.text(name, 24))}},
			largeDeployment(name)))
	}
	l.cluster.Past(l.ago(day))
	if err != nil {
		return err
	}
	l.cluster.Live()
	if err := l.write(fileKubeconfig, l.kubeconfig()); err != nil {
		return err
	}
	stop := make(chan struct{})
	l.run(func() { l.cluster.Run(stop) }, func() { close(stop) })
	l.web(srvKubernetes, l.cluster, true)
	return nil
}

func largeDeployment(name string) *appsv1.Deployment {
	replicas := int32(largeReplicas)
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: kubeNamespace, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: name, Image: "registry.company.com/" + name + ":1.0.0",
					Env: []corev1.EnvVar{{Name: "DB_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "password"}}}},
				}}},
			},
		},
	}
}
