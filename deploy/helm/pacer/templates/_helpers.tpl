{{- /* A Service's name has 63 characters at most, and "-dashboard" comes behind this one. */ -}}
{{- define "pacer.name" -}}
{{- $name := .Release.Name }}
{{- if not (contains "pacer" $name) }}{{ $name = printf "%s-pacer" (trunc 47 $name | trimSuffix "-") }}{{ end }}
{{- $name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "pacer.selector" -}}
app.kubernetes.io/name: pacer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pacer.labels" -}}
{{ include "pacer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "pacer.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "pacer.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
{{- with .Values.supplementalGroups }}
supplementalGroups:
  {{- toYaml . | nindent 2 }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "pacer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Where a pod may be: on nodes of a kind, or not. */ -}}
{{- define "pacer.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The configuration with the secrets that it reads, as /etc/pacer has them, and what a pod may write. */ -}}
{{- define "pacer.volumes" -}}
- name: config
  projected:
    defaultMode: 288 # 0440
    sources:
      - configMap: {name: {{ include "pacer.name" . }}}
      {{- range .Values.secrets }}
      - secret:
          name: {{ .name }}
          items:
            {{- range .keys }}
            - {key: {{ . }}, path: secrets/{{ . }}}
            {{- end }}
      {{- end }}
{{ include "pacer.writable" . }}
{{- end }}

{{- define "pacer.writable" -}}
- name: state
  emptyDir: {sizeLimit: {{ .Values.state.sizeLimit }}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.state.sizeLimit }}}
{{- end }}

{{- define "pacer.dashboard.name" -}}
{{ include "pacer.name" . }}-dashboard
{{- end }}

{{- define "pacer.dashboard.selector" -}}
app.kubernetes.io/name: pacer-dashboard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pacer.dashboard.labels" -}}
{{ include "pacer.dashboard.selector" . }}
app.kubernetes.io/component: dashboard
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "pacer.dashboard.given" }} {{ range .Values.dashboard.env }}{{ .name }} {{ end }}{{ end }}

{{- define "pacer.dashboard.env" -}}
{{- $ours := .Values.dashboard -}}
- {name: POSTGRES_HOST, value: {{ $ours.database.host | quote }}}
- {name: POSTGRES_PORT, value: {{ $ours.database.port | quote }}}
- {name: POSTGRES_DB, value: {{ $ours.database.name | quote }}}
- {name: POSTGRES_USER, value: {{ $ours.database.user | quote }}}
{{- with $ours.database.password }}
- {name: POSTGRES_PASSWORD, valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}}
{{- end }}
{{- with $ours.secretKey }}
- {name: SECRET_KEY, valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}}
{{- end }}
- {name: ALLOWED_HOSTS, value: {{ join "," $ours.allowedHosts | quote }}}
- {name: FORCE_SCRIPT_NAME, value: {{ $ours.rootPath | quote }}}
- {name: PACER_DASHBOARD_TRUSTED_PROXIES, value: {{ join "," $ours.trustedProxies | quote }}}
{{- if not (contains " PACER_DASHBOARD_PACERS " (include "pacer.dashboard.given" .)) }}
- {name: PACER_DASHBOARD_PACERS, value: "dns+http://{{ include "pacer.name" . }}-pods:{{ .Values.health.port }}"}
{{- end }}
{{- if not $ours.broker }}
- {name: PACER_CONFIG, value: ""}
{{- end }}
{{- with $ours.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
