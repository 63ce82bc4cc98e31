import type { NextConfig } from 'next';

const config: NextConfig = {
  // Turnout stands below /turnout of the page's own origin (TURNOUT_PUBLIC_PATH=/turnout), so that no request needs CORS.
  rewrites: async () => [
    { source: '/turnout/:path*', destination: `${process.env.TURNOUT_URL ?? 'http://127.0.0.1:7070'}/:path*` },
  ],
};

export default config;
