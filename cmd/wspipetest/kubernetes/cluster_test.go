//go:build unix

package kubernetes_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"wspipe/cmd/wspipetest"
)

// TestStatefulSet: Kubernetes' types know each field of kubernetes.yaml, its parts
// refer to each other, and wspipe runs with its arguments.
func TestStatefulSet(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parts := bytes.Split(text, []byte("\n---\n"))
	if len(parts) != 2 {
		t.Fatalf("%d documents, want 2", len(parts))
	}
	var service corev1.Service
	var set appsv1.StatefulSet
	for i, object := range []any{&service, &set} {
		if err := yaml.UnmarshalStrict(parts[i], object); err != nil {
			t.Fatal(err)
		}
	}
	if service.APIVersion+service.Kind+set.APIVersion+set.Kind != "v1Serviceapps/v1StatefulSet" || set.Spec.ServiceName != service.Name {
		t.Errorf("%s %s, %s %s of service %q", service.APIVersion, service.Kind, set.APIVersion, set.Kind, set.Spec.ServiceName)
	}
	pod := set.Spec.Template
	for name, selector := range map[string]map[string]string{"Service": service.Spec.Selector, "StatefulSet": set.Spec.Selector.MatchLabels} {
		for key, value := range selector {
			if pod.Labels[key] != value {
				t.Errorf("%s selects %s=%s, the pod has %q", name, key, value, pod.Labels[key])
			}
		}
	}
	c := pod.Spec.Containers[0]
	probe, port := c.ReadinessProbe.HTTPGet, c.Ports[0]
	if probe.Port.String() != port.Name || service.Spec.Ports[0].TargetPort.String() != port.Name || port.ContainerPort != 8080 {
		t.Errorf("the probe and the service use ports %s and %s of %v", &probe.Port, &service.Spec.Ports[0].TargetPort, port)
	}
	if grace := *pod.Spec.TerminationGracePeriodSeconds; grace < c.Lifecycle.PreStop.Sleep.Seconds+5 {
		t.Errorf("a pod has %d s to end", grace)
	}
	testDrain(t, c.Args, probe.Path)
}

// testDrain runs wspipe with the arguments of a container, and ends it as Kubernetes
// ends a pod.
func testDrain(t *testing.T, args []string, health string) {
	t.Helper()
	replace := strings.NewReplacer("--address=0.0.0.0", "--address=127.0.0.1", "--port=8080", "--port=0", "/usr/local/lib/wspipe/room-redis.py", "cat")
	for i := range args {
		args[i] = replace.Replace(args[i])
	}
	s := wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), args...))
	resp, err := http.Get("http" + strings.TrimPrefix(s.WS, "ws") + strings.TrimPrefix(health, "/"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", health, resp.Status)
	}
	client := wspipetest.Dial(t, s.WS+"blue", nil)
	client.Send("hello")
	client.Expect("hello")
	s.Signal(syscall.SIGTERM)
	client.ExpectEnd(1001, "server shutting down")
	if status := s.Wait(); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}
