/* SPDX-License-Identifier: MIT */
#include "help.h"

#include "options.h"

#define USAGE(command)                                                                             \
	"Usage: whocalls " command " [-n NAMESPACE] svc/NAME|deploy/NAME|pod/NAME|... [OPTIONS]\n" \
	"       whocalls " command " [-n NAMESPACE] -l SELECTOR --port N [OPTIONS]\n"              \
	"       whocalls " command " --port N [--address IP]... [OPTIONS]\n\n"

static const char trace[] = USAGE(
	"trace") "Shows live who opens TCP connections to the target on this node; the summary when it ends\n"
		 "(Ctrl-C, or --for). Needs root.\n"
		 "\n";

static const char verify[] = USAGE(
	"verify") "Watches the target, then tells whether anybody calls it, and what that rests on. Needs root.\n"
		  "\n"
		  "Exit status:\n"
		  "  0  QUIET     nobody called, and everything was covered, the whole time\n"
		  "  1  TRAFFIC   somebody called; the callers are listed\n"
		  "  2  UNPROVEN  nobody was seen, but not everything was covered; the reasons are listed\n"
		  "  64 and more  no verdict: it could not be begun, or its output not be written\n"
		  "\n"
		  "What counts:\n"
		  "  --for DURATION      watch for 30s, 10m, 1h30m ... (default 5m, at most 30d)\n"
		  "  --allow-idle        connections that are held open and carry nothing are no traffic\n"
		  "  --count-probes      the kubelet's probes are traffic\n"
		  "  --ignore WHO        these callers are no traffic: a NAMESPACE, a label SELECTOR of their\n"
		  "                      pods (app=prometheus), or their address (192.0.2.0/24); each is listed\n"
		  "                      with what it did; may be given several times\n"
		  "  --fail-fast         end as soon as there is traffic\n"
		  "  --evidence FILE     write all of it there as JSON, too\n"
		  "\n";

static const char common[] =
	"Target:\n"
	"  svc/NAME            what is behind that Service; all its TCP ports, or --port\n"
	"  deploy/NAME, sts/, ds/, rs/, rc/, job/, cj/, pod/\n"
	"                      the pods of that workload; all TCP ports they name, or --port\n"
	"  -l, --selector SEL  the pods with these labels (app=web,tier!=test), at --port\n"
	"  -n, --namespace NS  its namespace (default: that of the kubeconfig, or default)\n"
	"  --port N            this TCP port, 1 to 65535; alone: in every network namespace of this\n"
	"                      node\n"
	"  --address IP        only at this local address (IPv4 or IPv6); may be given several times\n"
	"\n"
	"Names, and what is behind a target, come from the Kubernetes API, found as kubectl does:\n"
	"  --kubeconfig FILE   instead of $KUBECONFIG, ~/.kube/config (under sudo: of who called\n"
	"                      it), or the service account in a cluster\n"
	"  --context NAME      of the kubeconfig\n"
	"  --node NAME         this node's name in the cluster (default: its host name)\n"
	"  --watch WHAT        cluster (default): all pods of the cluster; node: those of this node,\n"
	"                      and others are looked up by their address, which costs the API less\n"
	"  --pods FILE         no API: what `kubectl get pods -A -o json` wrote; -: standard input\n"
	"\n";

static const char trace_output[] =
	"Output:\n"
	"  --for DURATION      end after 30s, 10m, 1h30m ...\n"
	"  -o FORMAT           table (default), wide, json (one document at the end),\n"
	"                      jsonl (one line for each event)\n"
	"  --sort KEY          callers by connections (default), requests, p50 or p99 (of service\n"
	"                      time), open, last or name\n"
	"  --top N             only the first N callers; totals are of all of them\n"
	"\n";

static const char verify_output[] =
	"Output:\n"
	"  -o FORMAT           table (default: the verdict, what it rests on, and what to do), wide\n"
	"                      (more of the callers), json (one document at the end), jsonl (one\n"
	"                      line for each event, then the document)\n"
	"\n";

static const char limits[] =
	"Limits and troubles:\n"
	"  --max-callers N     distinct callers to keep apart (default 16384); what is more is\n"
	"                      counted as \"others\"\n"
	"  --max-connections N connections open at once to follow to their end (default 65536);\n"
	"                      what is more is counted, but when it ends is not known\n"
	"  --ring-size BYTES   buffer for single events, a power of two (default 4M)\n"
	"  --btf FILE          the kernel's types, for a kernel without /sys/kernel/btf/vmlinux\n"
	"  -v, --verbose       libbpf's own messages, too, which process is the kubelet, and what the\n"
	"                      trace cost\n"
	"  -h, --help          this\n"
	"\n"
	"`whocalls doctor` tells what this kernel allows.\n";

static const char agent[] =
	"Usage: whocalls agent [--all-services | -l SELECTOR] [-n NAMESPACE] [OPTIONS]\n\n"
	"Watches Services on this node for as long as it runs, and answers who calls them: what a\n"
	"DaemonSet runs. Needs root, or the capabilities that `whocalls doctor` lists, and the API.\n"
	"\n"
	"Which Services:\n"
	"  (none of these)     those with the annotation whocalls.dev/watch: \"true\"\n"
	"  -l, --selector SEL  those with these labels\n"
	"  --all-services      all\n"
	"  -n, --namespace NS  of this namespace only\n"
	"\n"
	"Answers, over HTTP:\n"
	"  --listen ADDR:PORT  there (default 127.0.0.1:9435); beyond loopback over TLS alone, and for\n"
	"                      those whose token the API knows and lets get that page (RBAC,\n"
	"                      nonResourceURLs); :PORT is all addresses\n"
	"  --tls-cert FILE, --tls-key FILE\n"
	"                      its certificate and key, read again at SIGHUP; else it makes its own\n"
	"                      /metrics          for Prometheus\n"
	"                      /api/v1/targets   what is watched\n"
	"                      /api/v1/callers?target=NAMESPACE/SERVICE\n"
	"                                        who calls it: the JSON of `trace -o json`\n"
	"                      ...&since=6h      who called it since then, by what is remembered\n"
	"                      /healthz, /readyz\n"
	"  --state DIR         what is remembered, for a day, is kept there once a minute\n"
	"  --stale DURATION    a caller that was not seen for so long and has nothing open has no\n"
	"                      series any more (default 1h)\n"
	"  --max-series N      callers that have series of their own (default 10000); what is more\n"
	"                      is added up as \"other\"\n"
	"  --by-address        callers that are no workload by their address, too\n"
	"  --service-graph     Tempo's names as well: traces_service_graph_request_total ...\n"
	"\n"
	"The API, found as kubectl does:\n"
	"  --kubeconfig FILE   instead of $KUBECONFIG, ~/.kube/config, or the service account in a\n"
	"                      cluster\n"
	"  --context NAME      of the kubeconfig\n"
	"  --node NAME         this node's name in the cluster (default: its host name)\n"
	"\n";

void help_print(FILE *file, enum options_of of)
{
	if (of == OPTIONS_AGENT) {
		fputs(agent, file);
		fputs(limits, file);
		return;
	}
	fputs(of == OPTIONS_VERIFY ? verify : trace, file);
	fputs(common, file);
	fputs(of == OPTIONS_VERIFY ? verify_output : trace_output, file);
	fputs(limits, file);
}
