package lab

import "fmt"

// kubeReader is the user whose role is the read role of docs/permissions.md.
const kubeReader = "warroom-read"

// controllers are those that the lab's workloads need. The others would only
// use memory.
var controllers = []string{
	"deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller", "cronjob-controller",
	"job-controller", "disruption-controller", "namespace-controller", "garbage-collector-controller", "endpointslice-controller",
}

// kubeconfig is a kubeconfig with one cluster, one user and one context.
func kubeconfig(server, ca, user, token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- name: %[1]s
  cluster: {server: %[2]q, certificate-authority: %[3]q}
users:
- name: %[4]s
  user: {token: %[5]q}
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[4]s}
`, kubeContext, server, ca, user, token)
}

// schedulerConfig is the scheduler's own file: it takes no kubeconfig otherwise
// without looking for more that is not there.
func schedulerConfig(kubeconfig string) string {
	return fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: %q, qps: 200, burst: 400}
`, kubeconfig)
}
