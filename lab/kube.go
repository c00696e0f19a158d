package lab

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// kubernetes is a control plane without machines: etcd, the API server, the
// controllers and the scheduler are real, and KWOK plays the kubelets, so that
// pods become ready, complete and go away within a second.
type kubernetes struct {
	dir              string
	port             int
	admin, reader    string // kubeconfig files
	kubectl          string
	ca               string
	api              *rest // as the administrator
	etcd, server     *process
	manager, planner *process // kube-controller-manager, kube-scheduler
	kwok             *process
}

// kubeContext is the one context of both kubeconfig files.
const kubeContext = "lab"

func (*kubernetes) Name() string { return "kubernetes" }
func (*kubernetes) Key() string  { return "kubernetes" }

func (*kubernetes) Missing(ctx context.Context) []Requirement {
	return slices.Concat(buildKube.requirement(ctx), buildEtcd.requirement(ctx), buildKWOK.requirement(ctx))
}

func (k *kubernetes) Start(ctx context.Context, s *Site) error {
	k.dir, k.ca = filepath.Join(s.Dir, "kubernetes"), s.CA.File
	if err := os.Mkdir(k.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of Kubernetes: %w", err)
	}
	programs, err := buildKube.find(ctx)
	if err != nil {
		return err
	}
	k.kubectl = filepath.Join(programs, "kubectl")
	if k.port, err = freePort(); err != nil {
		return err
	}
	etcdURL, err := k.startEtcd(ctx, s)
	if err != nil {
		return err
	}
	if err := k.startServer(ctx, s, programs, etcdURL); err != nil {
		return err
	}
	if k.manager, err = k.launch(s, filepath.Join(programs, "kube-controller-manager"), "--kubeconfig="+k.admin, "--leader-elect=false", "--secure-port=0",
		"--controllers="+strings.Join(controllers, ","), "--concurrent-deployment-syncs=2", "--kube-api-qps=200", "--kube-api-burst=400"); err != nil {
		return err
	}
	scheduler := filepath.Join(k.dir, "scheduler.yaml")
	if err := os.WriteFile(scheduler, []byte(schedulerConfig(k.admin)), 0o600); err != nil {
		return fmt.Errorf("write the scheduler's config: %w", err)
	}
	if k.planner, err = k.launch(s, filepath.Join(programs, "kube-scheduler"), "--config="+scheduler, "--secure-port=0"); err != nil {
		return err
	}
	kwok, err := buildKWOK.program(ctx, "kwok")
	if err != nil {
		return err
	}
	played := filepath.Join(k.dir, "stages.yaml")
	if err := os.WriteFile(played, []byte(stages), 0o600); err != nil {
		return fmt.Errorf("write KWOK's stages: %w", err)
	}
	if k.kwok, err = k.launch(s, kwok, "--config="+played, "--kubeconfig="+k.admin, "--manage-all-nodes=true", "--node-lease-duration-seconds=0"); err != nil {
		return err
	}
	return k.fill(ctx)
}

// startEtcd starts the store and waits until it is healthy: the API server does
// not wait for it, it ends. It is built because Debian's is too old: without the
// progress of watches, which it lacks, watches break off and stay behind.
func (k *kubernetes) startEtcd(ctx context.Context, s *Site) (url string, err error) {
	program, err := buildEtcd.program(ctx, "etcd")
	if err != nil {
		return "", err
	}
	var ports [2]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return "", err
		}
	}
	url = "http://" + address(ports[0])
	peers := "http://" + address(ports[1])
	if k.etcd, err = k.launch(s, program, "--unsafe-no-fsync", "--data-dir="+filepath.Join(k.dir, "etcd"), "--name=lab",
		"--listen-client-urls="+url, "--advertise-client-urls="+url, "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster=lab="+peers,
		// Alone, it waits for nobody's vote.
		"--heartbeat-interval=50", "--election-timeout=250"); err != nil {
		return "", err
	}
	api := newREST(url, nil)
	defer api.close()
	return url, poll(ctx, k.etcd, func(ctx context.Context) error {
		return api.call(ctx, http.MethodGet, "/health", nil, nil)
	})
}

// startServer starts the API server and waits until it is ready.
func (k *kubernetes) startServer(ctx context.Context, s *Site, programs, etcdURL string) error {
	certificate, key, accounts := filepath.Join(k.dir, "server.pem"), filepath.Join(k.dir, "server.key"), filepath.Join(k.dir, "accounts.key")
	if err := s.CA.Issue(localLeaf(), certificate, key); err != nil {
		return err
	}
	if err := writeRSAKey(accounts); err != nil {
		return err
	}
	adminToken, readerToken := rand.Text(), rand.Text()
	tokens := filepath.Join(k.dir, "tokens.csv")
	lines := adminToken + ",admin,admin,system:masters\n" + readerToken + "," + kubeReader + "," + kubeReader + "\n"
	k.admin, k.reader = filepath.Join(k.dir, "admin.kubeconfig"), filepath.Join(k.dir, "reader.kubeconfig")
	if err := errors.Join(
		os.WriteFile(tokens, []byte(lines), 0o600),
		os.WriteFile(k.admin, []byte(kubeconfig(k.address(), k.ca, "admin", adminToken)), 0o600),
		os.WriteFile(k.reader, []byte(kubeconfig(k.address(), k.ca, kubeReader, readerToken)), 0o600),
	); err != nil {
		return fmt.Errorf("write the identities of Kubernetes: %w", err)
	}
	var err error
	if k.server, err = k.launch(s, filepath.Join(programs, "kube-apiserver"), "--etcd-servers="+etcdURL,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+strconv.Itoa(k.port),
		"--tls-cert-file="+certificate, "--tls-private-key-file="+key, "--cert-dir="+k.dir,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+accounts, "--service-account-signing-key-file="+accounts,
		"--token-auth-file="+tokens, "--authorization-mode=RBAC", "--anonymous-auth=false",
		"--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
		// Without a controller that clears it, the taint of a new node would stay.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		"--audit-log-maxage=0", "--profiling=false"); err != nil {
		return err
	}
	k.api = newREST(k.address(), s.CA).with("Authorization", "Bearer "+adminToken)
	return poll(ctx, k.server, func(ctx context.Context) error {
		status, answer, err := k.api.send(ctx, http.MethodGet, "/readyz", "", nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("it is not ready: %d: %.200s", status, answer)
		}
		return err
	})
}

func (k *kubernetes) address() string { return "https://" + address(k.port) }

// launch starts one program of the control plane, with its own log.
func (k *kubernetes) launch(s *Site, program string, args ...string) (*process, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = k.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KUBE") || strings.HasPrefix(v, "KWOK") || strings.HasPrefix(v, "ETCD") || strings.HasPrefix(v, "HOME=")
	}), "HOME="+k.dir, "GOGC=50")
	return launch(cmd, nil, filepath.Join(s.Dir, filepath.Base(program)+".log"), syscall.SIGKILL)
}

// writeRSAKey makes the key that signs the tokens of service accounts.
func writeRSAKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the key of service accounts: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the key of service accounts: %w", err)
	}
	return nil
}

func (k *kubernetes) Stop() error {
	k.api.close()
	return errors.Join(k.kwok.stop(), k.planner.stop(), k.manager.stop(), k.server.stop(), k.etcd.stop())
}

func (k *kubernetes) Describe(d *Description) {
	d.Kubectl = k.kubectl
	d.Kubernetes = &KubernetesURL{
		Server: k.address(), CAFile: k.ca, Kubeconfig: k.admin, ReadKubeconfig: k.reader, Context: kubeContext,
		Deployment: "shop/deployment/user-service", StatefulSet: "shop/statefulset/ledger", DaemonSet: "ops/daemonset/node-agent",
		Stuck: "shop/deployment/payment-service", Crashing: "shop/deployment/reports", CronJob: "ops/rotate-postgres", FailedJob: "ops/rotate-api-keys",
		ExternalSecret: "shop/db-credentials", FailedExternalSecret: "shop/payment-key",
	}
}
