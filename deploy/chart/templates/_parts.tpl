{{/* What everything of a release is called: release "meta-proxy" has "meta-proxy-controller". */}}
{{- define "meta-proxy.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 }}{{ else }}{{ printf "%s-%s" (.Release.Name | trunc 39) .Chart.Name }}{{ end }}
{{- end }}

{{/* Labels by which pods of a part are found. Called with a list: the root and the part. */}}
{{- define "meta-proxy.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "meta-proxy.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "meta-proxy.name" $root }}-{{ index . 1 }}
labels:
  {{- include "meta-proxy.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* Metadata of what stands in the release's namespace. */}}
{{- define "meta-proxy.here" -}}
{{ include "meta-proxy.metadata" . }}
namespace: {{ (index . 0).Release.Namespace }}
{{- end }}

{{- define "meta-proxy.image" -}}
{{- $root := index . 0 -}}
image: {{ printf "%s:%s" (index . 1) ($root.Values.images.tag | default $root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ $root.Values.images.pullPolicy }}
{{- end }}

{{/* What a pod may do, and where it runs. Called with a list: the root and the part's values. */}}
{{- define "meta-proxy.pod" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
affinity:
{{- if $values.affinity }}
  {{- toYaml $values.affinity | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "meta-proxy.selector" (list $root (index . 2)) | nindent 14 }}
{{- end }}
{{- end }}

{{/* What a container may do, and how its health is asked for: by the port called admin. */}}
{{- define "meta-proxy.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
readinessProbe:
  httpGet: {path: /ready, port: admin}
  periodSeconds: 5
livenessProbe:
  httpGet: {path: /, port: admin}
  periodSeconds: 10
  failureThreshold: 6
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- with .log }}
  - name: META_LOG
    value: {{ . | quote }}
{{- end }}
{{- with .resources }}
resources: {{ toJson . }}
{{- end }}
{{- end }}

{{/* Flags that name the files of a secret. */}}
{{- define "meta-proxy.tls" -}}
- --tls-certificate=/etc/meta-proxy/tls/tls.crt
- --tls-key=/etc/meta-proxy/tls/tls.key
- --tls-authorities=/etc/meta-proxy/tls/ca.crt
{{- end }}

{{/* As many pods stay as may be asked for while nodes are emptied. */}}
{{- define "meta-proxy.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "meta-proxy.here" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "meta-proxy.selector" . | nindent 6 }}
{{- end }}
