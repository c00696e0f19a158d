package clients

import (
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// Requests a second and burst of one Kubernetes client. client-go's own 5 and 10
// make a first look at a cluster take minutes, and a recovery reads each of a
// hundred copies several times; the burst is kubectl's own. The API server's
// priority and fairness is what protects it.
const (
	kubernetesQPS   = 100
	kubernetesBurst = 300
)

// An HTTP/2 connection on which nothing came for kubernetesIdle seconds is asked
// for a sign of life, and given up without one after kubernetesPing more. client-go
// waits 30 and 15: too long to call the figures of a watch fresh. It takes these
// from the environment only.
const (
	kubernetesIdle = "10"
	kubernetesPing = "5"
)

// Built-in kinds are read in this form: a third of the bytes of JSON, and no
// parsing of numbers and names.
const kubernetesBinary = "application/vnd.kubernetes.protobuf"

// Kubernetes is one context of a kubeconfig.
type Kubernetes struct {
	set     *Set
	cluster config.KubernetesCluster

	mu      sync.Mutex
	clients *KubernetesClients
}

// KubernetesClients are the clients of one cluster. They share one connection
// and one budget of requests.
type KubernetesClients struct {
	Typed    kubernetes.Interface
	Metadata metadata.Interface // reads the metadata of any object, and nothing else of it
	Dynamic  dynamic.Interface  // for kinds that are not built in
}

// silence keeps client-go off the terminal, which we own, and from crashing the
// process over a panic in one of its handlers.
var silence = sync.OnceFunc(func() {
	klog.SetLogger(logr.Discard())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	utilruntime.ReallyCrash = false
	for key, value := range map[string]string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS": kubernetesIdle, "HTTP2_PING_TIMEOUT_SECONDS": kubernetesPing} {
		if _, set := os.LookupEnv(key); !set {
			_ = os.Setenv(key, value) // fails only for keys that are malformed
		}
	}
})

// Config is the connection of the cluster's context. It has no timeout, which
// would end watches: the context of each call bounds it.
func (k *Kubernetes) Config() (*rest.Config, error) {
	silence()
	cfg, err := k.context().ClientConfig()
	if err != nil {
		return nil, k.bad(err)
	}
	cfg.QPS, cfg.Burst = kubernetesQPS, kubernetesBurst
	cfg.UserAgent = k.set.agent()
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.ContentType, cfg.AcceptContentTypes = kubernetesBinary, kubernetesBinary+",application/json"
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &kubernetesTransport{next: next, turns: k.set.large, call: k.call}
	})
	if cfg.ExecProvider != nil {
		// A credential plugin must not read the keys meant for the console.
		cfg.ExecProvider.StdinUnavailable = true
		cfg.ExecProvider.StdinUnavailableMessage = "the console owns the terminal; log in with the plugin's own command first"
	}
	k.set.net.Register(cfg.BearerToken, cfg.Password)
	return cfg, nil
}

// context is the configured context of the kubeconfig.
func (k *Kubernetes) context() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	if k.cluster.Kubeconfig != "" {
		rules.ExplicitPath = k.cluster.Kubeconfig
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: k.cluster.Context})
}

// Namespace is the one of the context; empty where it names none that can be
// read.
func (k *Kubernetes) Namespace() string {
	name, _, err := k.context().Namespace()
	if err != nil {
		return ""
	}
	return name
}

// Client returns the cluster's client for built-in kinds. It asks nothing of the
// cluster.
func (k *Kubernetes) Client() (kubernetes.Interface, error) {
	all, err := k.Clients()
	if err != nil {
		return nil, err
	}
	return all.Typed, nil
}

// Clients returns the cluster's clients. It asks nothing of the cluster; what
// fails is tried again at the next call.
func (k *Kubernetes) Clients() (*KubernetesClients, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clients != nil {
		return k.clients, nil
	}
	cfg, err := k.Config()
	if err != nil {
		return nil, err
	}
	web, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, k.bad(err)
	}
	all := &KubernetesClients{}
	if all.Typed, err = kubernetes.NewForConfigAndClient(cfg, web); err != nil {
		return nil, k.bad(err)
	}
	if all.Metadata, err = metadata.NewForConfigAndClient(cfg, web); err != nil {
		return nil, k.bad(err)
	}
	if all.Dynamic, err = dynamic.NewForConfigAndClient(cfg, web); err != nil {
		return nil, k.bad(err)
	}
	k.set.onClose(func() { utilnet.CloseIdleConnectionsFor(web.Transport) })
	k.clients = all
	return all, nil
}

// Limit is how long one call may take.
func (k *Kubernetes) Limit() time.Duration {
	if limit := k.set.cfg.Checks.Timeout; limit > 0 {
		return limit
	}
	return defaultLimit
}

func (k *Kubernetes) bad(err error) error {
	return &estate.Failure{
		Kind: estate.Misconfigure, Doing: "set up the client of Kubernetes cluster " + k.cluster.Name,
		Detail: Strip(err.Error(), DetailLimit), Next: "correct the cluster under kubernetes in warroom.yaml, or KUBECONFIG",
	}
}
