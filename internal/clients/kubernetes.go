package clients

import (
	"sync"

	"github.com/go-logr/logr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// Requests a second and burst of one Kubernetes client. client-go's own 5 and 10
// make a first look at a cluster take minutes; the API server's priority and
// fairness is what protects it.
const (
	kubernetesQPS   = 50
	kubernetesBurst = 100
)

// Kubernetes is one context of a kubeconfig.
type Kubernetes struct {
	set     *Set
	cluster config.KubernetesCluster

	mu     sync.Mutex
	client kubernetes.Interface
}

// silence keeps client-go off the terminal, which we own, and from crashing the
// process over a panic in one of its handlers.
var silence = sync.OnceFunc(func() {
	klog.SetLogger(logr.Discard())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	utilruntime.ReallyCrash = false
})

// Config is the connection of the cluster's context. It has no timeout, which
// would end watches: the context of each call bounds it.
func (k *Kubernetes) Config() (*rest.Config, error) {
	silence()
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	if k.cluster.Kubeconfig != "" {
		rules.ExplicitPath = k.cluster.Kubeconfig
	}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: k.cluster.Context}).ClientConfig()
	if err != nil {
		return nil, k.bad(err)
	}
	cfg.QPS, cfg.Burst = kubernetesQPS, kubernetesBurst
	cfg.UserAgent = UserAgent
	cfg.WarningHandler = rest.NoWarnings{}
	if cfg.ExecProvider != nil {
		// A credential plugin must not read the keys meant for the console.
		cfg.ExecProvider.StdinUnavailable = true
		cfg.ExecProvider.StdinUnavailableMessage = "the console owns the terminal; log in with the plugin's own command first"
	}
	k.set.net.Register(cfg.BearerToken, cfg.Password)
	return cfg, nil
}

// Client returns the cluster's client. It asks nothing of the cluster.
func (k *Kubernetes) Client() (kubernetes.Interface, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client != nil {
		return k.client, nil
	}
	cfg, err := k.Config()
	if err != nil {
		return nil, err
	}
	web, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, k.bad(err)
	}
	client, err := kubernetes.NewForConfigAndClient(cfg, web)
	if err != nil {
		return nil, k.bad(err)
	}
	k.set.onClose(web.CloseIdleConnections)
	k.client = client
	return client, nil
}

func (k *Kubernetes) bad(err error) error {
	return &estate.Failure{
		Kind: estate.Misconfigure, Doing: "set up the client of Kubernetes cluster " + k.cluster.Name,
		Detail: Strip(err.Error(), DetailLimit), Next: "correct the cluster under kubernetes in warroom.yaml, or KUBECONFIG",
	}
}
