{{- define "pacer.name" -}}
{{- if contains "pacer" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-pacer{{ end }}
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
