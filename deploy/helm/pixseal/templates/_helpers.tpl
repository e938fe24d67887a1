{{- define "pixseal.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "pixseal.selector" -}}
app.kubernetes.io/name: pixseal
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pixseal.metadata" -}}
name: {{ include "pixseal.name" . }}
labels:
  {{- include "pixseal.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "pixseal.host" -}}
{{ required "Set host to the host of the public URLs, such as img.example.com." .Values.host }}
{{- end }}

{{- define "pixseal.secret" -}}
{{ required "Set existingSecret to the name of a Secret with DATABASE_URL, CLOUDINARY_URL, ADMIN_API_KEYS and SECRETS_KEY." .Values.existingSecret }}
{{- end }}

{{- define "pixseal.image" -}}
{{- $repository := required "Set image.repository to the name of the image in your registry." .Values.image.repository }}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}
{{- else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "pixseal.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
