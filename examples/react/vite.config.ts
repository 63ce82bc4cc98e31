import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { sessions } from './server/sessions.js';

// Turnout stands below /turnout of the page's own origin (TURNOUT_PUBLIC_PATH=/turnout), so that no request needs CORS.
const proxy = { '/turnout': process.env.TURNOUT_URL ?? 'http://127.0.0.1:7070' };

export default defineConfig({
  plugins: [react(), sessions()],
  server: { proxy },
  preview: { proxy },
});
